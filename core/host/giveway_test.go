package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// A rank that an elastic gang does without is lost for the reason of the notice, and
// does not count as one of those that an attempt may lose.
func TestShrunkRankIsLost(t *testing.T) {
	s := newStage(t)
	s.queues("queues: [{name: default, preemptLower: true}]")
	low := s.sized(10, "size: 2, min: 1, grace: 1ms")
	s.join(low, false, s.started()...)
	c := s.scene()
	c.want(t)
	c.next(t)
	high := s.sized(90, "size: 1")
	if e, ok := c.next(t).(core.Shrink); !ok {
		t.Fatalf("got %+v, want the notice", e)
	}
	if e, ok := c.next(t).(core.ExecutorLost); !ok || e.Rank != 1 || !strings.Contains(e.Reason, string(high)) {
		t.Errorf("got %+v, want rank 1 lost to job %s", e, high)
	}
	s.h.mu.Lock()
	losses := s.h.jobs[low].attempt.losses
	s.h.mu.Unlock()
	if losses != 0 {
		t.Errorf("%d losses are held against the attempt", losses)
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

// A coordinator that comes after another was told that its gang has to go, or
// some of its ranks, is told as well, and until when.
func TestNoticeIsToldAgain(t *testing.T) {
	for gang, is := range map[string]func(core.Event) (time.Time, bool){
		"size: 2": func(e core.Event) (time.Time, bool) { v, ok := e.(core.GiveWay); return v.Until, ok },
		"size: 2, min: 1": func(e core.Event) (time.Time, bool) {
			v, ok := e.(core.Shrink)
			return v.Until, ok && slices.Equal(v.Ranks, []int{1})
		},
	} {
		t.Run(gang, func(t *testing.T) {
			s := newStage(t)
			s.queues("queues: [{name: default, preemptLower: true}]")
			low := s.sized(10, gang)
			s.join(low, false, s.started()...)
			c := s.scene()
			c.want(t)
			c.next(t)
			s.sized(90, "size: 1")
			first, ok := is(c.next(t))
			if !ok {
				t.Fatal("the first coordinator was not told")
			}
			c.end <- fmt.Errorf("oh: %w", core.ErrPluginCrash)

			c = s.scene()
			c.want(t)
			if up, ok := c.next(t).(core.GangUp); !ok || !up.Resumed {
				t.Fatalf("got %+v, want the gang", up)
			}
			if again, ok := is(c.next(t)); !ok || !again.Equal(first) {
				t.Errorf("the next is told %v, and the first %v", again, first)
			}
			c.end <- nil
			s.until(low, "its end", ended)
		})
	}
}

// A drain's deadline holds over a restart of the host: who is adopted hears of it,
// and is moved away if it passed meanwhile.
func TestDrainOverRestart(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	ranks := s.started()
	s.join(id, false, ranks...)
	c := s.scene()
	c.want(t)
	c.next(t)
	s.until(id, "its start", running)
	drain := func(until time.Time) {
		t.Helper()
		if _, err := s.h.Drain(t.Context(), "here", false, until.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	drain(until)
	if e, ok := c.next(t).(core.GiveWay); !ok || !e.Until.Equal(until) {
		t.Fatalf("got %+v, want the notice", e)
	}
	s.close()
	s.open()
	s.join(id, true, ranks...)
	c = s.scene()
	c.want(t)
	if up, ok := c.next(t).(core.GangUp); !ok || !up.Resumed {
		t.Fatalf("got %+v, want the gang", up)
	}
	if e, ok := c.next(t).(core.GiveWay); !ok || !e.Until.Equal(until) {
		t.Errorf("got %+v, want the notice once more", e)
	}
	passed, err := json.Marshal(policy{Drains: map[core.NodeID]int64{"here": 1}})
	if err == nil {
		err = s.h.journal.SetMeta(t.Context(), policyKey, passed)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	s.open()
	s.until(id, "its place in line", func(j core.Job) bool { return j.State == core.Queued })
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	s.until(id, "its end", ended)
	s.nothingLeft()
}

// A gang whose node is drained while its executors start has the notice when they
// are up.
func TestDrainWhileStarting(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	ranks := s.started()
	until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	if _, err := s.h.Drain(t.Context(), "here", false, until.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	c := s.scene()
	c.want(t)
	s.join(id, false, ranks...)
	if up, ok := c.next(t).(core.GangUp); !ok {
		t.Fatalf("got %+v, want the gang", up)
	}
	if e, ok := c.next(t).(core.GiveWay); !ok || !e.Until.Equal(until) {
		t.Errorf("got %+v, want the notice", e)
	}
	c.end <- nil
	s.until(id, "its end", ended)
	s.nothingLeft()
}

// All that is wrong with a document of queues is told at once, with its place.
func TestQueueFaults(t *testing.T) {
	s := newStage(t)
	err := s.h.SetQueues(t.Context(), []byte(`default: nowhere
halfLive: 24h
guard: 12 h
licences: {matlab: -1}
queues:
- {name: a, weight: 0, order: random}
- {name: a, quota: {cpu: 20 cores, gpu: 1.5}}
- {name: b//c, maxPerUser: many}
`), "queues.yaml")
	e := core.AsError(err)
	var got []string
	for _, d := range e.Diagnostics {
		got = append(got, d.String())
	}
	want := []string{
		`line 2:1: halfLive: unknown field "halfLive" (did you mean "halfLife"?)`,
		`line 3:8: guard: "12 h" has the wrong form (a time: 90s, 24h)`,
		`line 4:20: licences.matlab: minimum: got -1, want 0`,
		`line 6:21: queues.0.weight: minimum: got 0, want 1`,
		`line 6:31: queues.0.order: random is not one of priority, fifo, short, fair, turn`,
		`line 7:26: queues.1.quota.cpu: "20 cores" has the wrong form (cores: 20, 0.5, 500m)`,
		`line 7:41: queues.1.quota.gpu: want integer, got number`,
		`line 8:28: queues.2.maxPerUser: want integer, got string`,
	}
	if e.Kind != core.Invalid || e.Where != "queues.yaml" || !slices.Equal(got, want) {
		t.Errorf("got %s at %q: %s\n%s", e.Kind, e.Where, e.What, strings.Join(got, "\n"))
	}
	if err := s.h.SetQueues(t.Context(), []byte("queues: [{name: a/b}, {name: a/b}]\ndefault: a\n"), "queues.yaml"); err == nil ||
		!strings.Contains(err.Error(), `line 1:30: queues.1.name: queue "a/b" is there twice`) {
		t.Errorf("a queue that is there twice: %v", err)
	}
}

// Who was told to give way to a drain hears that it stays when the drain is undone,
// and of another deadline that it counts instead.
func TestDrainUndone(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	ranks := s.started()
	s.join(id, false, ranks...)
	c := s.scene()
	c.want(t)
	c.next(t)
	s.until(id, "its start", running)
	drain := func(undo bool, until time.Time) {
		t.Helper()
		at := int64(0)
		if !undo {
			at = until.UnixMilli()
		}
		if _, err := s.h.Drain(t.Context(), "here", undo, at); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(want core.Event) {
		t.Helper()
		got := c.next(t)
		if g, ok := got.(core.GiveWay); ok {
			g.Reason = ""
			got = g
		}
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	until := time.Now().UTC().Add(time.Hour).Truncate(time.Millisecond)
	drain(false, until)
	hears(core.GiveWay{Gang: "main", Until: until})
	s.until(id, "the note", func(j core.Job) bool { return strings.Contains(j.Progress.Note, "give way") })
	later := until.Add(time.Hour)
	drain(false, later)
	hears(core.Stay{Gang: "main"})
	hears(core.GiveWay{Gang: "main", Until: later})
	drain(true, time.Time{})
	hears(core.Stay{Gang: "main"})
	s.until(id, "no note", func(j core.Job) bool { return j.Progress.Note == "" })
	drain(true, time.Time{}) // is heard of once
	c.end <- nil
	s.until(id, "its end", ended)
	s.nothingLeft()
}

// A plan of a job that others would make room for says when they would be gone: not
// when their walltimes are over.
func TestPlanOfDisplacer(t *testing.T) {
	s := newStage(t)
	s.queues("queues: [{name: default, preemptLower: true}]")
	low := s.sized(10, "size: 2, grace: 3s")
	s.join(low, false, s.started()...)
	c := s.scene()
	c.want(t)
	c.next(t)
	s.until(low, "its start", running)
	doc := "apiVersion: capstan/v1\nkind: Play\nmetadata: {name: urgent, priority: 90, walltime: 1h}\n" +
		"gang: {cpu: 32, memory: 1Mi, size: 2}\nspec: {}\n"
	plan, err := s.h.dryRun(t.Context(), []byte(doc), "test")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan.Placement, "starts within 3s") && !strings.Contains(plan.Placement, "starts within 2.") {
		t.Errorf("the victim has 3s to go, and the plan is\n%s", plan.Placement)
	}
	c.end <- nil
	s.until(low, "its end", ended)
	s.nothingLeft()
}
