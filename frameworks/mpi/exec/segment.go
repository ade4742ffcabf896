package exec

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// segments are the memory that a process and its proxy share, by number.
type segments struct {
	mu    sync.Mutex
	next  uint32
	bytes uint64 // in all of them
	most  uint64
	byNum map[uint32]*segment
}

// segment is mapped until it was released and nobody uses it.
type segment struct {
	number   uint32
	mem      []byte
	uses     int
	released bool
}

func newSegments(most uint64) *segments { return &segments{most: most, byNum: map[uint32]*segment{}} }

// make maps a new segment, and returns it with its descriptor, which the caller
// closes.
func (s *segments) make(n uint64) (*segment, int, error) {
	if n == 0 {
		n = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.most-s.bytes {
		return nil, 0, refusal{statusResource, fmt.Sprintf("a segment of %d bytes, with %d in others; all together may have %d: release some, or give the rank more memory", n, s.bytes, s.most)}
	}
	fd, mem, err := anonymous(n)
	if err != nil {
		return nil, 0, refusal{statusResource, fmt.Sprintf("a segment of %d bytes: %v", n, err)}
	}
	s.next++
	s.bytes += n
	seg := &segment{number: s.next, mem: mem}
	s.byNum[seg.number] = seg
	return seg, fd, nil
}

// anonymous is memory that keeps its length whatever a process does to it (law
// X3).
func anonymous(n uint64) (int, []byte, error) {
	fd, err := unix.MemfdCreate("capstan-mpi", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return 0, nil, os.NewSyscallError("memfd_create", err)
	}
	err = os.NewSyscallError("ftruncate", unix.Ftruncate(fd, int64(n)))
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	var mem []byte
	if err == nil {
		mem, err = unix.Mmap(fd, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		_ = unix.Close(fd)
		return 0, nil, err
	}
	return fd, mem, nil
}

// use returns the bytes of a place, and what ends their use.
func (s *segments) use(p place) ([]byte, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.byNum[p.segment]
	if seg == nil || seg.released {
		return nil, nil, refusal{statusRequest, fmt.Sprintf("segment %d is not known", p.segment)}
	}
	n := uint64(len(seg.mem))
	if p.offset > n || p.length > n-p.offset {
		return nil, nil, refusal{statusRequest, fmt.Sprintf("%d bytes at %d of segment %d, which has %d", p.length, p.offset, p.segment, n)}
	}
	seg.uses++
	return seg.mem[p.offset : p.offset+p.length : p.offset+p.length], func() { s.unuse(seg) }, nil
}

func (s *segments) unuse(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.uses--
	s.sweep(seg)
}

// release gives back a segment; it goes when the last request that uses it is
// answered.
func (s *segments) release(number uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.byNum[number]
	if seg == nil || seg.released {
		return refusal{statusRequest, fmt.Sprintf("segment %d is not known", number)}
	}
	seg.released = true
	s.sweep(seg)
	return nil
}

func (s *segments) sweep(seg *segment) {
	if !seg.released || seg.uses > 0 {
		return
	}
	s.bytes -= uint64(len(seg.mem))
	delete(s.byNum, seg.number)
	_ = unix.Munmap(seg.mem)
}

// close unmaps all; nobody uses them.
func (s *segments) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.byNum {
		seg.released = true
		s.sweep(seg)
	}
}
