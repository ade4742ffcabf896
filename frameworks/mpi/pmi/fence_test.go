package pmi

import (
	"testing"
	"time"
)

// A barrier no longer waits for a rank that is lost while others go on.
func TestLeave(t *testing.T) {
	s := NewServer(World{Name: "k", Programs: make([]int, 3)}, 3, NewLocal(1, nil))
	out := make(chan error, 2)
	for rank := range 2 {
		go func() { out <- s.barrier(t.Context(), rank) }()
	}
	s.Leave(t.Context(), 2)
	s.Leave(t.Context(), 2) // said again
	for range 2 {
		if err := <-out; err != nil {
			t.Error(err)
		}
	}
}

// Grace lets ranks out of a barrier after the first ones to which others do not
// come, and those who come late are not held up.
func TestGrace(t *testing.T) {
	s := NewServer(World{Name: "k", Programs: make([]int, 2), Grace: time.Millisecond}, 2, NewLocal(1, nil))
	out := make(chan error, 2)
	for range firstBarriers {
		for rank := range 2 {
			go func() { out <- s.barrier(t.Context(), rank) }()
		}
		<-out
		<-out
	}
	for rank := range 2 { // one after the other: neither meets the other
		if err := s.barrier(t.Context(), rank); err != nil {
			t.Error(err)
		}
	}
}
