package host

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// submitArray submits an array whose elements have one executor each.
func (s *stage) submitArray(array, more string) core.JobID {
	s.t.Helper()
	doc := fmt.Sprintf(`
apiVersion: capstan/v1
kind: Play
metadata: {name: play, array: %q%s}
gang: {size: 1, cpu: 100m, memory: 1Mi}
spec: {}
`, array, more)
	id, _, _, err := s.h.Submit(s.t.Context(), []byte(doc), "", "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// element waits for the start of an element's one executor, and has it join.
// Elements that were granted together start in any order.
func (s *stage) element(id core.JobID, index int64) string {
	s.t.Helper()
	want := fmt.Sprintf("%s.1.main.%d.0.", id, index)
	for {
		for i, ex := range s.early {
			if strings.HasPrefix(ex, want) {
				s.early = slices.Delete(s.early, i, i+1)
				s.joinElement(id, index, false, ex)
				return ex
			}
		}
		s.early = append(s.early, s.started()...)
	}
}

func (s *stage) joinElement(id core.JobID, index int64, working bool, executor string) {
	(*handler)(s.h).Joined(executor, core.Rank{Job: id, Epoch: 1, Gang: core.ElementName("main", index)}, working)
}

// up waits for the element of an index to come up.
func (c *scene) up(t *testing.T, index int64, resumed bool) {
	t.Helper()
	e, ok := c.next(t).(core.GangUp)
	if !ok || e.Gang != core.ElementName("main", index) || e.Size != 1 || e.Resumed != resumed {
		t.Fatalf("got %+v, want element %d", e, index)
	}
}

func (c *scene) done(t *testing.T, index int64, ok bool) {
	t.Helper()
	if err := c.EndGang(core.ElementName("main", index), ok); err != nil {
		t.Fatal(err)
	}
}

// nothingOf holds that the host has forgotten every gang of its jobs.
func (s *stage) nothingOf() {
	s.t.Helper()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if n := len(s.h.gangs); n > 0 {
		s.t.Errorf("the host still knows %d gangs", n)
	}
	if v := s.h.sched.Snapshot(); len(v.Gangs) > 0 {
		s.t.Errorf("the scheduler still knows %+v", v.Gangs)
	}
}

// Elements are granted two at a time, come up as gangs of their own, and are
// forgotten when they end.
func TestArray(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("0-3%2", "")
	c := s.scene()
	c.want(t)
	for i := range int64(4) {
		s.element(id, i)
		c.up(t, i, false)
		if i == 0 {
			continue
		}
		c.done(t, i-1, i != 2) // so element 1 failed
	}
	c.done(t, 3, true)
	s.h.mu.Lock()
	rec := s.h.jobs[id].rec
	gangs, fate := len(rec.Gangs), rec.Arrays["main"]
	s.h.mu.Unlock()
	if want := (&elements{OK: core.Intervals{{0, 0}, {2, 3}}, Failed: core.Intervals{{1, 1}}}); gangs != 1 || !reflect.DeepEqual(fate, want) {
		t.Errorf("%d gangs are kept, and %+v", gangs, fate)
	}
	if n := s.count(id, "gang-up") + s.count(id, "granted") + s.count(id, "released"); n != 0 {
		t.Errorf("an array's elements fill its history: %v", s.events(id))
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// A host that restarts adopts the elements that run, and grants none that ended.
func TestArrayAdopted(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("10-40:10%2", "")
	c := s.scene()
	c.want(t)
	s.element(id, 10)
	c.up(t, 10, false)
	second := s.element(id, 20)
	c.up(t, 20, false)
	c.done(t, 10, true)
	third := s.element(id, 30)
	c.up(t, 30, false)
	s.until(id, "a record", func(core.Job) bool {
		saved, err := s.h.journal.Saved(t.Context(), id, 0)
		return err == nil && strings.Contains(string(saved), `"ok":[[0,0]]`) && strings.Count(string(saved), `"up":true`) == 2
	})
	s.close()
	s.open()
	s.joinElement(id, 20, true, second)
	s.joinElement(id, 30, true, third)
	for c = s.scene(); c.attempt.Generation != 2; c = s.scene() {
	}
	c.want(t)
	c.up(t, 20, true)
	c.up(t, 30, true)
	c.done(t, 20, true)
	s.element(id, 40)
	c.up(t, 40, false)
	c.done(t, 30, true)
	c.done(t, 40, true)
	c.end <- nil
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// An array of which all had ended when the host died has only its coordinator
// left to ask.
func TestArrayAllEnded(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("5", "")
	c := s.scene()
	c.want(t)
	s.element(id, 5)
	c.up(t, 5, false)
	c.done(t, 5, true)
	s.until(id, "a record", func(core.Job) bool {
		saved, err := s.h.journal.Saved(t.Context(), id, 0)
		return err == nil && strings.Contains(string(saved), `"ok":[[0,0]]`)
	})
	s.close()
	s.open()
	for c = s.scene(); c.attempt.Generation != 2; c = s.scene() {
	}
	c.want(t)
	c.end <- nil
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// An element that its coordinator lets go waits again; one that is lost before
// it came up does, too; and what is refused is told.
func TestElementComesBack(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("0-1%1", "")
	c := s.scene()
	c.want(t)
	s.element(id, 0)
	c.up(t, 0, false)
	if err := c.ReleaseGang("main[0]"); err != nil {
		t.Fatal(err)
	}
	s.element(id, 0)
	c.up(t, 0, false)
	c.done(t, 0, true)
	for range 3 { // its starts come to nothing
		ex := s.started()
		(*handler)(s.h).Ended(ex[0], core.Errorf(core.Failed, "no luck"), 0)
	}
	e, ok := c.next(t).(core.GangRefused)
	if !ok || e.Gang != "main" || !slices.Equal(e.Elements, []core.ArrayRange{{First: 1, Last: 1, Step: 1}}) || !strings.Contains(e.Err.What, "no luck") {
		t.Fatalf("got %+v", e)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// What waits for an element hears how it ended, also where the job ends at once.
func TestElementsAwaited(t *testing.T) {
	s := newStage(t)
	first := s.submitArray("0-2", "")
	c := s.scene()
	c.want(t)
	for i := range int64(3) {
		s.element(first, i)
		c.up(t, i, false)
	}
	second := s.submitArray("0-2", fmt.Sprintf(", when: {after: [{job: %s, each: true}]}", first))
	for i := range int64(3) {
		c.done(t, i, i != 1)
	}
	c.end <- core.Errorf(core.Failed, "one failed")
	s.until(first, "the end", ended)
	c = s.scene()
	c.want(t)
	s.element(second, 0)
	s.element(second, 2)
	up := map[string]bool{}
	for range 3 {
		switch e := c.next(t).(type) {
		case core.GangUp:
			up[e.Gang] = true
		case core.GangRefused:
			if !slices.Equal(e.Elements, []core.ArrayRange{{First: 1, Last: 1, Step: 1}}) {
				t.Errorf("refused %+v", e.Elements)
			}
		}
	}
	if !up["main[0]"] || !up["main[2]"] {
		t.Errorf("up came %v", up)
	}
	c.end <- nil
	s.until(second, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// A cancel ends all elements, those that come up meanwhile too.
func TestArrayCancelled(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("0-99%3", "")
	c := s.scene()
	c.want(t)
	s.element(id, 0)
	c.up(t, 0, false)
	for len(s.early) < 2 {
		s.early = append(s.early, s.started()...)
	}
	if _, err := s.h.Cancel(string(id), ""); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.next(t).(core.CancelAsked); !ok {
		t.Error("the coordinator does not hear of the cancel")
	}
	c.end <- core.Errorf(core.Cancelled, "as asked")
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// A walltime is each element's own.
func TestElementExpires(t *testing.T) {
	s := newStageAt(t, t.TempDir(), func(c *Config) { c.Grace = time.Millisecond })
	id := s.submitArray("0-1", ", walltime: 1h")
	c := s.scene()
	c.want(t)
	s.element(id, 0)
	c.up(t, 0, false)
	second := s.element(id, 1)
	c.up(t, 1, false)
	s.h.mu.Lock()
	g := s.h.gangs[gang.IDOf(id, "main[1]")]
	s.h.act(gang.Expire{Gang: g.id, Lease: g.state.Lease})
	s.h.mu.Unlock()
	if e, ok := c.next(t).(core.GiveWay); !ok || e.Gang != "main[1]" || !e.Final {
		t.Fatalf("got %+v", e)
	}
	if e, ok := c.next(t).(core.ExecutorLost); !ok || e.Gang != "main[1]" {
		t.Fatalf("got %+v", e)
	}
	c.done(t, 1, false)
	s.until(id, "the executor's end", func(core.Job) bool { return !slices.Contains(s.l.left(), second) })
	if j, _, _ := s.h.Lookup(string(id)); j.State != core.Running {
		t.Errorf("the array is %s when one element has expired", j.State)
	}
	c.done(t, 0, true)
	c.end <- nil
	s.until(id, "the end", ended)
	s.idle()
	s.nothingLeft()
	s.nothingOf()
}

// Lines of elements say whose they are.
func TestElementLog(t *testing.T) {
	s := newStage(t)
	id := s.submitArray("7", "")
	c := s.scene()
	c.want(t)
	ex := s.element(id, 7)
	c.up(t, 7, false)
	(*handler)(s.h).Log(ex, time.Now(), "hello")
	var got []string
	if err := s.h.jobs[id].log.read(t.Context(), false, func(l LogLine) error { got = append(got, l.Text); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got, "[7] hello") {
		t.Errorf("the log has %q", got)
	}
	c.done(t, 7, true)
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// Kinds that know no arrays refuse them.
func TestNoArrays(t *testing.T) {
	s := newStage(t)
	doc := "apiVersion: capstan/v1\nkind: Play\nmetadata: {name: play, array: 0-3}\nspec: {deaf: true}\n"
	_, _, _, err := s.h.Submit(t.Context(), []byte(doc), "", "test")
	if e := core.AsError(err); e == nil || e.Kind != core.Invalid || e.Where != "metadata.array" {
		t.Errorf("a kind without arrays: %v", err)
	}
}
