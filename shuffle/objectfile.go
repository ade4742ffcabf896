package shuffle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/arena"
)

// objectFile is a file that gets its name when it is whole (law X1): in memory,
// if it was begun there and the arena has room for all of it, else at path. It
// is not safe for concurrent use.
type objectFile struct {
	path string
	file *os.File       // nil once published or discarded, and while it is in memory
	mem  *arena.Segment // nil where it is not in memory
	pos  int64          // bytes written
	sync bool           // publish makes it last through a power cut
	sent int64          // of pos, what the disk was told to write
}

// sendSize is how much of a file that is to be synced goes to the disk at a
// time: the disk works while the rest is put together.
const sendSize = 8 << 20

// createObject starts the file that publish will name path, and with sync will
// make last through a power cut.
func createObject(path string, sync bool) (*objectFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create exchange object: %w", err)
	}
	return &objectFile{path: path, file: file, sync: sync}, nil
}

// createIn starts an object in memory; without an arena it is createObject.
func createIn(a *arena.Arena, path string, sync bool) (*objectFile, error) {
	if a == nil {
		return createObject(path, sync)
	}
	mem, err := a.Begin()
	if err != nil {
		return createObject(path, sync) // it can do without
	}
	return &objectFile{path: path, mem: mem, sync: sync}, nil
}

// move brings what was written to the disk.
func (f *objectFile) move() error {
	mem := f.mem
	f.mem = nil
	disk, err := createObject(f.path, f.sync)
	if err != nil {
		return errors.Join(err, mem.Discard())
	}
	f.file = disk.file
	_, err = mem.WriteTo(f.file)
	return errors.Join(err, mem.Discard())
}

// reserve takes the room for n bytes in all, where the file system can: one
// large piece costs less than many small ones, and a full disk shows before
// the work is done.
func (f *objectFile) reserve(n int64) error {
	if n == 0 || f.mem != nil {
		return nil
	}
	for {
		err := unix.Fallocate(int(f.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP):
			return nil
		}
		return err
	}
}

// Write appends b.
func (f *objectFile) Write(b []byte) (int, error) {
	if f.mem != nil {
		n, err := f.mem.Write(b)
		if err == nil {
			f.pos += int64(n)
			return n, nil
		}
		if !errors.Is(err, arena.ErrFull) {
			return 0, err
		}
		if err := f.move(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(b)
	f.pos += int64(n)
	if f.sync && f.pos-f.sent >= sendSize {
		// Advice: what did not go now goes with the sync.
		_ = unix.SyncFileRange(int(f.file.Fd()), f.sent, f.pos-f.sent, unix.SYNC_FILE_RANGE_WRITE)
		f.sent = f.pos
	}
	return n, err
}

// publish gives the file its name, replacing what had it. After an error the
// file is gone.
func (f *objectFile) publish() error {
	err := f.tryPublish()
	if err != nil {
		f.discard()
	}
	f.file, f.mem = nil, nil
	return err
}

func (f *objectFile) tryPublish() error {
	if f.mem != nil {
		return f.mem.Publish(filepath.Base(f.path), int(f.pos))
	}
	if f.sync {
		if err := f.file.Sync(); err != nil {
			return err
		}
	}
	if err := f.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.file.Name(), f.path); err != nil {
		return err
	}
	if f.sync {
		return syncDir(filepath.Dir(f.path))
	}
	return nil
}

// discard removes the file. After publish or discard it does nothing.
func (f *objectFile) discard() {
	if f.mem != nil {
		f.mem.Discard() // its file is unlinked, or goes with the directory
		f.mem = nil
	}
	if f.file == nil {
		return
	}
	f.file.Close()
	os.Remove(f.file.Name())
	f.file = nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
