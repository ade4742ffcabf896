// Package unixsock listens on and dials unix sockets whatever the length of
// their path.
//
// The kernel's sun_path holds 108 bytes (104 on the BSDs), and the directories
// of a gang are easily longer. A path that does not fit is reached through its
// opened directory: /proc/self/fd/<n>/<name> is short and names the same file.
//
// Laws:
//
//	U1  A path that another process still serves is never taken over; one that
//	    nobody serves (its server was killed) is.
//	U2  Closing a listener removes its path, and only the socket it made.
//
// Left out: permissions. A socket is made under the process's umask; whoever
// needs it private puts it in a private directory.
package unixsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// maxPath is the longest path that every kernel takes, without its final zero.
const maxPath = 103

// Listen serves the unix socket at path, whose directory must exist. Its Addr
// is path. Connections it accepts are *net.UnixConn. It returns
// syscall.EADDRINUSE in the chain when somebody serves path already.
func Listen(path string) (net.Listener, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	defer done()
	l, err := listen(short)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(short) {
		if err = os.Remove(short); err == nil {
			l, err = listen(short)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, withoutAddr(err))
	}
	made, err := os.Lstat(short)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, path: path, made: made}, nil
}

// Dial connects to the unix socket at path.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	short, done, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", path, err)
	}
	defer done()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", path, withoutAddr(err))
	}
	return c, nil
}

func listen(short string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err == nil {
		// The short name dies with the directory's descriptor, and its number
		// may be somebody else's by then.
		l.SetUnlinkOnClose(false)
	}
	return l, err
}

// abandoned reports whether the socket at short has no server behind it.
func abandoned(short string) bool {
	c, err := net.Dial("unix", short)
	if err == nil {
		c.Close()
		return false
	}
	fi, serr := os.Lstat(short)
	return errors.Is(err, syscall.ECONNREFUSED) && serr == nil && fi.Mode()&os.ModeSocket != 0
}

// shorten returns a name for path that fits into sun_path and is good until
// done is called.
func shorten(path string) (short string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if len(short) > maxPath {
		return "", nil, errors.Join(fmt.Errorf("its base name is longer than %d bytes", maxPath-24), dir.Close())
	}
	return short, func() { dir.Close() }, nil
}

// withoutAddr strips the *net.OpError, whose address may be the short name.
func withoutAddr(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

type listener struct {
	*net.UnixListener
	path string
	made os.FileInfo
	once sync.Once
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

func (l *listener) Close() error {
	err := l.UnixListener.Close()
	l.once.Do(func() {
		if fi, serr := os.Lstat(l.path); serr == nil && os.SameFile(fi, l.made) {
			err = errors.Join(err, os.Remove(l.path))
		}
	})
	return err
}
