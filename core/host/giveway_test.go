package host

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// sized submits a job of a priority whose gang has a size, and more of gang.
func (s *stage) sized(priority int, gang string) core.JobID {
	s.t.Helper()
	doc := fmt.Sprintf("apiVersion: capstan/v1\nkind: Play\nmetadata: {name: play, priority: %d}\ngang: {cpu: 32, memory: 1Mi, %s}\nspec: {}\n", priority, gang)
	id, _, _, err := s.h.Submit(s.t.Context(), []byte(doc), "", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *stage) queues(doc string) {
	s.t.Helper()
	if err := s.h.SetQueues(s.t.Context(), []byte(doc), "test"); err != nil {
		s.t.Fatal(err)
	}
}

// A job whose place was taken is queued, and says so, until it has one again.
func TestDisplacedIsQueued(t *testing.T) {
	s := newStage(t)
	s.queues("queues: [{name: default, preemptLower: true}]")
	low := s.sized(10, "size: 2")
	s.join(low, false, s.started()...)
	c := s.scene()
	c.want(t)
	c.next(t)
	s.until(low, "its start", running)

	high := s.sized(90, "size: 2")
	if e, ok := c.next(t).(core.GiveWay); !ok || e.Gang != "main" {
		t.Fatalf("got %+v", e)
	}
	if err := c.ReleaseGang("main"); err != nil {
		t.Fatal(err)
	}
	c.want(t)
	s.join(high, false, s.started()...)
	first := s.scene()
	s.until(high, "its start", running)
	if j, _, _ := s.h.Lookup(string(low)); j.State != core.Queued || j.Started.IsZero() {
		t.Errorf("a job that lost its place is %s, started %v", j.State, j.Started)
	}
	first.end <- nil
	s.until(high, "its end", ended)
	s.join(low, false, s.started()...)
	s.until(low, "its place", running)
	c.end <- nil
	s.until(low, "its end", ended)
	s.nothingLeft()
}

// The coordinator of an elastic gang hears beforehand which ranks it will lose.
func TestShrinkIsTold(t *testing.T) {
	s := newStage(t)
	s.queues("queues: [{name: default, preemptLower: true}]")
	low := s.sized(10, "size: 2, min: 1, max: 2")
	s.join(low, false, s.started()...)
	c := s.scene()
	c.want(t)
	c.next(t)
	high := s.sized(90, "size: 1")
	if e, ok := c.next(t).(core.Shrink); !ok || e.Gang != "main" || len(e.Ranks) != 1 || e.Ranks[0] != 1 || e.Until.IsZero() {
		t.Errorf("got %+v, want the notice for rank 1", e)
	}
	c.end <- nil
	s.until(low, "its end", ended)
	s.join(high, false, s.started()...)
	s.scene().end <- nil
	s.until(high, "its end", ended)
}

// People are shown the queue that serves a job, not the one it named.
func TestServingQueueIsShown(t *testing.T) {
	s := newStage(t)
	s.queues("default: batch\nqueues: [{name: batch}, {name: other}]")
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	if j, _, _ := s.h.Lookup(string(id)); j.Queue != "batch" {
		t.Errorf("the job is shown in queue %q", j.Queue)
	}
	r, err := (&clusterService{s.h}).Gangs(context.Background(), connect.NewRequest(&clusterpb.GangsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Queue string `json:"queue"`
	}
	if err := api.FromStruct(r.Msg.Gangs[0], &g); err != nil || g.Queue != "batch" {
		t.Errorf("its gang is shown in queue %q (%v)", g.Queue, err)
	}
	c.end <- nil
	s.until(id, "its end", ended)
}

// Of a job with very many gangs that wait, the first in line are explained.
func TestWhyIsBounded(t *testing.T) {
	s := newStage(t)
	id := s.sized(50, "size: 1")
	s.join(id, false, s.started()...)
	c := s.scene()
	for i := range 30 {
		ask := volumeAsk(fmt.Sprintf("copy-%d", i), fmt.Sprintf("v.%d", i))
		ask.CPU = 64000 // which only one could have
		if err := c.WantGang(ask); err != nil {
			t.Fatal(err)
		}
	}
	r, err := (&service{h: s.h}).Why(t.Context(), connect.NewRequest(&apipb.JobRequest{Id: string(id)}))
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Msg.Text; strings.Count(text, " waits: ") != explained || !strings.Contains(text, "copy-0 waits") || !strings.Contains(text, "20 more of its gangs wait") {
		t.Errorf("got %d explanations:\n%s", strings.Count(text, " waits: "), text)
	}
	c.end <- nil
	s.until(id, "its end", ended)
}
