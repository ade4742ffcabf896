package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/capstan-run/capstan/core"
)

var (
	// ErrFull is in the chain of what Open and Commit return when the disk has
	// no space left. Nothing of that Tx was written; it may be tried again.
	ErrFull = errors.New("disk full")
	// ErrDamaged is in the chain of what Open and every read and write return
	// when the file is not a journal or its content is broken.
	ErrDamaged = errors.New("journal damaged")
	// ErrClosed is in the chain of what Commit returns after Close.
	ErrClosed = errors.New("journal closed")
)

// translate turns an error of SQLite or the system into one for the user.
func translate(path, doing string, err error) error {
	var known *core.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		if known.Where == "" {
			known.Where = path
		}
		return err
	case isDamage(err):
		return &core.Error{
			Kind: core.Internal, Where: path,
			What:   "the journal is damaged",
			Remedy: "stop the host, move " + filepath.Base(path) + " with its -wal and -shm files aside, and put back a copy; without one the host starts with an empty history",
			Detail: err.Error(), Err: ErrDamaged,
		}
	case isFull(path, err):
		return &core.Error{
			Kind: core.Internal, Where: path,
			What:   fmt.Sprintf("%s: only %s are free on the file system", doing, core.Bytes(free(path))),
			Remedy: "free some space there; nothing acknowledged is lost, and the host goes on by itself",
			Detail: err.Error(), Err: ErrFull,
		}
	case errors.Is(err, fs.ErrPermission):
		return &core.Error{
			Kind: core.Denied, Where: path, What: doing, Err: err,
			Remedy: "run the host as the owner of that directory, or choose another state directory",
		}
	default:
		return &core.Error{Kind: core.Internal, Where: path, What: doing, Err: err}
	}
}

// code is SQLite's primary result code in err's chain, 0 if none.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

func isDamage(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

// isFull also takes an I/O error on a nearly full disk for a full one: SQLite
// reports a shared-memory file that cannot grow, or a quota, that way.
func isFull(path string, err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return true
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return free(path) < 64<<10
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// free is the space an ordinary user has on path's file system; a large number
// if it cannot be told.
func free(path string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		return 1 << 62
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
