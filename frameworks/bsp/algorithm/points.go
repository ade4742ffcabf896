package algorithm

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// points are a rank's rows of so many numbers, in memory as far as it goes, else
// in a file that has no name.
type points struct {
	width  int
	n      int // rows
	limit  int // numbers held in memory
	memory []float64
	file   *os.File
	tail   []float64 // rows not yet written to the file
	onDisk int       // rows in the file
}

// blockRows is how many rows are handed out at a time.
const blockRows = 1024

// lanes is how many parts the rows are cut into: each is added up in its order,
// and they in theirs, so that sums have the same bits on any number of cores.
const lanes = 16

// pointShare is the part of the memory that points may take.
const pointShare = 2

func newPoints(p *peer.Peer) *points {
	return &points{limit: int(p.Memory() / pointShare / 8)}
}

// add appends a row. The first says how wide all are.
func (s *points) add(scratch string, row []float64) error {
	if s.n == 0 {
		s.width = len(row)
	}
	s.n++
	if s.file == nil && len(s.memory)+len(row) <= s.limit {
		s.memory = append(s.memory, row...)
		return nil
	}
	s.tail = append(s.tail, row...)
	if len(s.tail) < blockRows*s.width {
		return nil
	}
	return s.flush(scratch)
}

// flush writes the rows that wait to the file.
func (s *points) flush(scratch string) error {
	if len(s.tail) == 0 {
		return nil
	}
	if s.file == nil {
		file, err := os.CreateTemp(scratch, "points-*")
		if err != nil {
			return err
		}
		s.file = file
		if err := os.Remove(file.Name()); err != nil {
			return err
		}
	}
	if _, err := s.file.Write(bytesOf(s.tail)); err != nil {
		return err
	}
	s.onDisk += len(s.tail) / s.width
	s.tail = s.tail[:0]
	return nil
}

func (s *points) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// each calls f for blocks of rows, on so many cores. The blocks of a lane come in
// order, by one goroutine at a time.
func (s *points) each(ctx context.Context, cores int, f func(lane int, block []float64)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	faults := make([]error, lanes)
	for range max(1, min(cores, lanes)) {
		wait.Go(func() {
			var buffer []float64
			for lane := int(next.Add(1)) - 1; lane < lanes; lane = int(next.Add(1)) - 1 {
				buffer, faults[lane] = s.lane(ctx, lane, buffer, f)
			}
		})
	}
	wait.Wait()
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *points) lane(ctx context.Context, lane int, buffer []float64, f func(int, []float64)) ([]float64, error) {
	for at, to := s.n*lane/lanes, s.n*(lane+1)/lanes; at < to; {
		if err := ctx.Err(); err != nil {
			return buffer, err
		}
		n := min(blockRows, to-at)
		inMemory := 0
		if s.width > 0 {
			inMemory = len(s.memory) / s.width
		}
		if at < inMemory {
			n = min(n, inMemory-at)
			f(lane, s.memory[at*s.width:(at+n)*s.width])
		} else {
			buffer = slices.Grow(buffer[:0], n*s.width)[:n*s.width]
			if _, err := s.file.ReadAt(bytesOf(buffer), int64(at-inMemory)*int64(8*s.width)); err != nil {
				return buffer, err
			}
			f(lane, buffer)
		}
		at += n
	}
	return buffer, nil
}
