package shuffle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// objectFile is a file that gets its name when it is whole (law X1). It is not
// safe for concurrent use.
type objectFile struct {
	path string
	file *os.File // nil once published or discarded
	pos  int64    // bytes written
}

// createObject starts the file that publish will name path.
func createObject(path string) (*objectFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create exchange object: %w", err)
	}
	return &objectFile{path: path, file: file}, nil
}

// reserve takes the room for n bytes in all, where the file system can: one
// large piece costs less than many small ones, and a full disk shows before
// the work is done.
func (f *objectFile) reserve(n int64) error {
	if n == 0 {
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
	n, err := f.file.Write(b)
	f.pos += int64(n)
	return n, err
}

// publish gives the file its name, replacing what had it. With sync it lasts
// through a power cut. After an error the file is gone.
func (f *objectFile) publish(sync bool) error {
	err := f.tryPublish(sync)
	if err != nil {
		f.discard()
	}
	f.file = nil
	return err
}

func (f *objectFile) tryPublish(sync bool) error {
	if sync {
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
	if sync {
		return syncDir(filepath.Dir(f.path))
	}
	return nil
}

// discard removes the file. After publish or discard it does nothing.
func (f *objectFile) discard() {
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
