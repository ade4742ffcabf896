package pmi

import (
	"context"
	"strconv"
	"strings"
	"sync"
)

// World is what ranks are told of the program they are part of.
type World struct {
	Name     string // of its space of keys; at most MaxName bytes, without blanks
	Programs []int  // the number of the program of each rank; its length is the size
	Universe int    // how many ranks there may ever be; 0: not known
	Put      []Pair // in the space from the beginning
	Parent   string // the name of the world that has spawned this one; "": none has
	Mapping  string // see [Mapping]; "": not told
}

// Server serves the ranks of one executor.
type Server struct {
	world  World
	fabric Fabric

	mu      sync.Mutex
	space   map[string]string
	fresh   []Pair // put since the last fence
	present int    // ranks of this server that take part in barriers
	fence   *fence // the one that is gathering
	fences  int
	phases  map[int]string // of each rank
	node    nodeSpace
}

// The phases of a rank's conversation.
const (
	Starting  = "starting" // it has not said init
	Running   = "running"
	InBarrier = "in a barrier"
	Finalized = "finalized"
)

// Phase is where a rank is.
func (s *Server) Phase(rank int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.phases[rank]; p != "" {
		return p
	}
	return Starting
}

func (s *Server) enter(rank int, phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases[rank] = phase
}

// Dead tells ranks that ask which others of their world are lost.
func (s *Server) Dead(ranks []int) {
	list := make([]string, len(ranks))
	for i, r := range ranks {
		list[i] = strconv.Itoa(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.space["PMI_dead_processes"] = strings.Join(list, ",")
}

// fence is one barrier of a server's ranks.
type fence struct {
	in   int
	done chan struct{} // closed when all ranks of the world are in
	err  error         // set before
}

// NewServer makes a server of so many ranks of w.
func NewServer(w World, ranks int, f Fabric) *Server {
	s := &Server{world: w, fabric: f, present: ranks, space: map[string]string{}, phases: map[int]string{}, fence: newFence(), node: newNodeSpace()}
	if w.Mapping != "" {
		s.space["PMI_process_mapping"] = w.Mapping
	}
	s.add(w.Put)
	return s
}

func newFence() *fence { return &fence{done: make(chan struct{})} }

// put keeps a rank's value, and reports false if the key has one.
func (s *Server) put(p Pair) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.space[p.Key]; has {
		return false
	}
	s.space[p.Key] = p.Value
	s.fresh = append(s.fresh, p)
	return true
}

func (s *Server) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.space[key]
	return v, ok
}

// add takes what other servers' ranks have put.
func (s *Server) add(pairs []Pair) {
	for _, p := range pairs {
		s.space[p.Key] = p.Value
	}
}

// barrier returns when every rank of the world is in it (law P2).
func (s *Server) barrier(ctx context.Context) error {
	s.mu.Lock()
	f := s.fence
	f.in++
	last := f.in == s.present
	var put []Pair
	if last {
		put, s.fresh = s.fresh, nil
		s.fence = newFence()
		s.fences++
	}
	n := s.fences
	s.mu.Unlock()
	if last {
		s.meet(ctx, f, n, put)
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// meet joins the nth barrier of this server's ranks with the others'.
func (s *Server) meet(ctx context.Context, f *fence, n int, put []Pair) {
	others, err := s.fabric.Fence(ctx, n, put)
	s.mu.Lock()
	s.add(others)
	f.err = err
	s.mu.Unlock()
	close(f.done)
}
