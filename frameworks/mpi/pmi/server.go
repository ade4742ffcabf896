package pmi

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// World is what ranks are told of the program they are part of.
type World struct {
	Name     string // of its space of keys; at most MaxName bytes, without blanks
	Programs []int  // the number of the program of each rank; its length is the size
	Universe int    // how many ranks there may ever be; 0: not known
	Put      []Pair // in the space from the beginning
	Parent   string // the name of the world that has spawned this one; "": none has
	Mapping  string // see [Mapping]; "": not told
	// Grace is how long a rank waits in a barrier after its first ones for the
	// others; 0: for ever. It breaks law P2, for the barrier in MPI_Finalize of
	// MPICH before 4.2, to which a rank may never come.
	Grace time.Duration
}

// Server serves the ranks of one executor.
type Server struct {
	world  World
	fabric Fabric

	mu      sync.Mutex
	space   map[string]string
	fresh   []Pair // put since the last fence
	present int    // ranks of this server that take part in barriers
	gone    map[int]bool
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

// NewServer makes a server of so many ranks of w.
func NewServer(w World, ranks int, f Fabric) *Server {
	s := &Server{world: w, fabric: f, present: ranks, space: map[string]string{}, phases: map[int]string{}, gone: map[int]bool{}, fence: newFence(), node: newNodeSpace()}
	if w.Mapping != "" {
		s.space["PMI_process_mapping"] = w.Mapping
	}
	s.add(w.Put)
	return s
}

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
