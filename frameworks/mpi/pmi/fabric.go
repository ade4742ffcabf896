package pmi

import (
	"context"
	"errors"
)

// ErrUnknownName is that nobody has published a name.
var ErrUnknownName = errors.New("nobody has published it")

// ErrKnownName is that a name is published already.
var ErrKnownName = errors.New("it is published already")

// Fabric joins the servers of a world. Its methods may be called from any
// goroutine.
type Fabric interface {
	// Fence hands in what the ranks of one server have put before their nth
	// barrier, from 1 on, and returns what those of all other servers have when
	// all are in it. Each server calls it once for each n, in order.
	Fence(ctx context.Context, n int, put []Pair) ([]Pair, error)
	// Publish makes a port known under a name, to all worlds of the job.
	Publish(ctx context.Context, name, port string) error
	Unpublish(ctx context.Context, name string) error
	Lookup(ctx context.Context, name string) (port string, err error)
	// Spawn starts another world, and returns when it is placed or will not be.
	Spawn(ctx context.Context, s Spawn) error
}

// Spawn is a world that a rank asks for.
type Spawn struct {
	Programs []Program
	Put      []Pair // in the new world's space from the beginning
}

// Program is a part of a world: ranks that run the same.
type Program struct {
	Ranks int
	Argv  []string
	Info  []Pair // MPI_Info: "wdir", "host", "path", …
}
