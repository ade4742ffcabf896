package exec

import (
	"fmt"
	"sync"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// communicators are those of a process, by number.
type communicators struct {
	world *mpi.Comm
	mu    sync.Mutex
	next  uint32
	byNum map[uint32]*mpi.Comm
}

func newCommunicators(world *mpi.Comm) *communicators {
	c := &communicators{world: world, byNum: map[uint32]*mpi.Comm{}}
	c.add(world)
	c.add(world.Self())
	return c
}

func (c *communicators) add(m *mpi.Comm) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.next
	c.next++
	c.byNum[n] = m
	return n
}

func (c *communicators) get(number uint32) (*mpi.Comm, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.byNum[number]; m != nil {
		return m, nil
	}
	return nil, refusal{statusRequest, fmt.Sprintf("communicator %d is not known: it was freed, or split gave none", number)}
}

func (c *communicators) remove(number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byNum, number)
}
