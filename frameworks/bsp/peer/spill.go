package peer

import (
	"bufio"
	"os"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

// spill is a file without a name for messages that did not fit in memory. It is
// written once, then mapped: the kernel holds of it what there is memory for.
type spill struct {
	f   *os.File
	w   *bufio.Writer
	n   int64
	mem []byte
}

const spillBuffer = 256 << 10

func newSpill(dir string) (*spill, error) {
	f, err := os.CreateTemp(dir, "messages-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		return nil, spillError(err)
	}
	return &spill{f: f, w: bufio.NewWriterSize(f, spillBuffer)}, nil
}

var zeros [8]byte

// add writes b and returns where, at a multiple of 8.
func (s *spill) add(b []byte) (int64, error) {
	at := s.n
	if _, err := s.w.Write(b); err != nil {
		return 0, spillError(err)
	}
	pad := -len(b) & 7
	if _, err := s.w.Write(zeros[:pad]); err != nil {
		return 0, spillError(err)
	}
	s.n += int64(len(b) + pad)
	return at, nil
}

// open ends the writing and begins the reading.
func (s *spill) open() (err error) {
	if err := s.w.Flush(); err != nil {
		return spillError(err)
	}
	s.w = nil
	if s.n == 0 {
		return nil
	}
	if s.mem, err = unix.Mmap(int(s.f.Fd()), 0, int(s.n), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return spillError(err)
	}
	return nil
}

// bytes are valid until close.
func (s *spill) bytes(at, n int64) []byte { return s.mem[at : at+n : at+n] }

func (s *spill) close() {
	if s.mem != nil {
		_ = unix.Munmap(s.mem)
	}
	_ = s.f.Close()
}

func spillError(err error) error {
	e := core.Errorf(core.Internal, "messages that do not fit in memory cannot be kept on disk").At("scratch directory").
		Do("give the executors more memory, or a larger disk")
	e.Err = err
	return e
}
