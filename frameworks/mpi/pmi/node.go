package pmi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// nodeSpace is what the ranks of one node tell each other, by version 2: its
// client uses it for names of shared memory. It does not wait for a fence.
type nodeSpace struct {
	values map[string]string
	more   chan struct{} // closed and made anew when a value comes
}

func newNodeSpace() nodeSpace {
	return nodeSpace{values: map[string]string{}, more: make(chan struct{})}
}

// putNode keeps a value for the ranks of the node of rank. It is published too
// if some of them are another server's.
func (s *Server) putNode(ctx context.Context, rank int, key, value string) error {
	s.mu.Lock()
	s.node.values[key] = value
	close(s.node.more)
	s.node.more = make(chan struct{})
	s.mu.Unlock()
	if name, shared := s.nodeName(rank, key); shared {
		return s.fabric.Publish(ctx, name, value)
	}
	return nil
}

// nodeName is what a value of a rank's node is published as, and whether it is.
func (s *Server) nodeName(rank int, key string) (string, bool) {
	nodes := nodesOf(s.world.Mapping, len(s.world.Programs))
	if nodes == nil {
		return "", false
	}
	ranks := 0
	for _, n := range nodes {
		if n == nodes[rank] {
			ranks++
		}
	}
	return fmt.Sprintf("node/%s/%d/%s", s.world.Name, nodes[rank], key), ranks > s.present
}

// The pause between two looks at what other servers have published.
const (
	firstLook = time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// getNode returns a value of a rank's node. If wait is set it waits until there
// is one.
func (s *Server) getNode(ctx context.Context, rank int, key string, wait bool) (value string, has bool, err error) {
	name, shared := s.nodeName(rank, key)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		s.mu.Lock()
		value, has = s.node.values[key]
		more := s.node.more
		s.mu.Unlock()
		var look <-chan time.Time // nil where nobody else has a rank of the node
		if !has && shared {
			value, err = s.fabric.Lookup(ctx, name)
			if err != nil && !errors.Is(err, ErrUnknownName) {
				return "", false, err
			}
			has, look = err == nil, time.After(pause)
		}
		if has || !wait {
			return value, has, nil
		}
		select {
		case <-more:
		case <-look:
		case <-ctx.Done():
			return "", false, context.Cause(ctx)
		}
	}
}
