package pmi

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Local is a [Fabric] within one process, for a world of so many servers.
type Local struct {
	servers int
	spawn   func(context.Context, Spawn) error

	mu     sync.Mutex
	names  map[string]string
	fences map[int]*meeting
}

// meeting is one barrier of all servers.
type meeting struct {
	put  [][]Pair
	full chan struct{}
}

// NewLocal makes the fabric of so many servers. spawn may be nil: then there is
// none.
func NewLocal(servers int, spawn func(context.Context, Spawn) error) *Local {
	return &Local{servers: servers, spawn: spawn, names: map[string]string{}, fences: map[int]*meeting{}}
}

// Fence is [Fabric]'s.
func (l *Local) Fence(ctx context.Context, n int, put []Pair) ([]Pair, error) {
	l.mu.Lock()
	m := l.fences[n]
	if m == nil {
		m = &meeting{full: make(chan struct{})}
		l.fences[n] = m
	}
	mine := len(m.put)
	m.put = append(m.put, put)
	if len(m.put) == l.servers {
		delete(l.fences, n)
		close(m.full)
	}
	l.mu.Unlock()
	select {
	case <-m.full:
		return slices.Concat(slices.Concat(m.put[:mine]...), slices.Concat(m.put[mine+1:]...)), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Publish is [Fabric]'s.
func (l *Local) Publish(_ context.Context, name, port string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, has := l.names[name]; has {
		return ErrKnownName
	}
	l.names[name] = port
	return nil
}

// Unpublish is [Fabric]'s.
func (l *Local) Unpublish(_ context.Context, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, has := l.names[name]; !has {
		return ErrUnknownName
	}
	delete(l.names, name)
	return nil
}

// Lookup is [Fabric]'s.
func (l *Local) Lookup(_ context.Context, name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	port, has := l.names[name]
	if !has {
		return "", ErrUnknownName
	}
	return port, nil
}

// Spawn is [Fabric]'s.
func (l *Local) Spawn(ctx context.Context, s Spawn) error {
	if l.spawn == nil {
		return errors.New("nothing can be spawned here")
	}
	return l.spawn(ctx, s)
}
