package host

import (
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// up lets a job's gang come up, and answers its coordinator and executors.
func (s *stage) up(id core.JobID) (*scene, []string) {
	s.t.Helper()
	executors := s.started()
	s.join(id, false, executors...)
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	return s.scene(), executors
}

// books is what the scheduler has of the only node, and of a job's gang.
func (s *stage) books(id core.JobID) (core.Resources, gang.GangView) {
	s.t.Helper()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	g, ok := s.h.sched.Gang(gang.IDOf(id, "main"))
	if !ok {
		s.t.Fatalf("the gang of %s is not known", id)
	}
	return s.h.sched.NodeViews()[0].Free, g
}

// The ranks of a gang with roles hold after a restart what they held before.
func TestAdoptedRoles(t *testing.T) {
	s := newStage(t)
	id := s.sized(50, "size: 3, roles: [{name: driver, size: 1, cpu: 1}, {name: worker, size: 2, cpu: 4}]")
	_, executors := s.up(id)
	free, before := s.books(id)
	s.close()
	s.open()
	left, after := s.books(id)
	if left != free || !slices.Equal(after.Ranks, before.Ranks) || !slices.Equal(after.Ranks, []int{0, 1, 1}) {
		t.Errorf("%v are free and the roles %v, after %v and %v", left, after.Ranks, free, before.Ranks)
	}
	s.join(id, true, executors...)
	s.scene().end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}
