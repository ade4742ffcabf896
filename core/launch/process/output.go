package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tailBytes = 16 << 10 // what Tail returns at most
	keepBytes = 64 << 10 // what trimming leaves
	trimAbove = 1 << 20
	trimEvery = time.Second
)

func (l *Launcher) output(id string) string { return filepath.Join(l.dir(id), "output") }

// Tail returns the last output of an executor, "" if there is none.
func (l *Launcher) Tail(_ context.Context, id string) string {
	f, err := os.Open(l.output(id))
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, 2)
	if err != nil {
		return ""
	}
	buf := make([]byte, min(end, tailBytes))
	n, _ := f.ReadAt(buf, end-int64(len(buf)))
	return strings.ToValidUTF8(strings.TrimLeft(string(buf[:n]), "\x00"), "\uFFFD")
}

// trim gives the disk back what executors wrote but for the last of it.
func (l *Launcher) trim() {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, id := range l.ledger.Live() {
				if err := trimFile(l.output(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
					l.log.Warn("an executor's output is not trimmed", "executor", id, "error", err)
				}
			}
		case <-l.quit:
			return
		}
	}
}

// trimFile frees the blocks of a large file but for its last keepBytes. The
// writer appends, so the file keeps its length and becomes a hole with a tail;
// where the file system knows no holes, all of it goes.
func trimFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return err
	}
	if s.Blocks*512 <= trimAbove {
		return nil
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, s.Size-keepBytes)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return f.Truncate(0)
	}
	return err
}
