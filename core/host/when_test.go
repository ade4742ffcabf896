package host

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// submitWhen submits a small job whose metadata has when.
func (s *stage) submitWhen(id, when string) error {
	s.t.Helper()
	doc := fmt.Sprintf(`
apiVersion: capstan/v1
kind: Play
metadata: {name: play, when: {%s}}
gang: {size: 1, cpu: 100m, memory: 1Mi}
spec: {}
`, when)
	_, _, _, err := s.h.Submit(s.t.Context(), []byte(doc), id, "test")
	return err
}

func (s *stage) mustSubmitWhen(id, when string) {
	s.t.Helper()
	if err := s.submitWhen(id, when); err != nil {
		s.t.Fatal(err)
	}
}

// waits fails the test unless jobs wait, and nothing of them has begun.
func (s *stage) waits(ids ...core.JobID) {
	s.t.Helper()
	for _, id := range ids {
		j, _, err := s.h.Lookup(string(id))
		if err != nil || j.State != core.Queued {
			s.t.Errorf("%s is %s, %v", id, j.State, err)
		}
	}
}

// What waits for the end of others begins when they have ended as it wants, and
// is given up when they cannot any more.
func TestAfterOthers(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("good", "")
	s.mustSubmitWhen("bad", "")
	s.mustSubmitWhen("both", "after: [{job: good}, {job: bad, ended: any}]")
	s.mustSubmitWhen("never", "after: [{job: bad}]")
	s.mustSubmitWhen("rescue", "after: [{job: bad, ended: failed}]")
	s.waits("both", "never", "rescue")
	scenes := map[core.JobID]*scene{}
	for range 2 {
		sc := s.scene()
		scenes[sc.attempt.Job.ID] = sc
	}
	scenes["good"].end <- nil
	s.until("good", "the end", ended)
	s.waits("both", "never", "rescue")
	scenes["bad"].end <- core.Errorf(core.Failed, "it broke")
	var came []core.JobID
	for range 2 {
		sc := s.scene()
		came = append(came, sc.attempt.Job.ID)
		sc.end <- nil
	}
	slices.Sort(came)
	if !slices.Equal(came, []core.JobID{"both", "rescue"}) {
		t.Errorf("then came %v", came)
	}
	if j := s.until("never", "the end", ended); j.State != core.Canceled || !strings.Contains(j.Outcome.What, "after the success of bad") {
		t.Errorf("never: %s, %+v", j.State, j.Outcome)
	}
}

// A dependency that is not there, or cannot come true, is refused by name.
func TestAfterNobody(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("good", "")
	s.act(nil)
	s.mustSubmitWhen("bad", "")
	s.act(core.Errorf(core.Failed, "it broke"))
	for when, want := range map[string]string{
		"after: [{job: good}, {job: nobody}]": `line 4:58: metadata.when.after.1.job: there is no job "nobody"`,
		"after: [{job: self}]":                `there is no job "self"`,
		"after: [{job: bad}]":                 "job bad failed, and this one is to run after its success",
		"after: [{job: good, ended: failed}]": "job good succeeded, and this one is to run after a failure of it",
	} {
		if err := s.submitWhen("self", when); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", when, err, want)
		}
	}
	// What ended before is as good as what ends later.
	s.mustSubmitWhen("next", "after: [{job: good}, {job: bad, ended: any}]")
	if id := s.act(nil); id != "next" {
		t.Errorf("then came %s", id)
	}
}

// A job that waits is held back, let go, and both are known to the next host.
func TestHold(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("a", "hold: true")
	s.mustSubmitWhen("b", fmt.Sprintf("begin: %q", now().Add(time.Hour).Format(time.RFC3339)))
	s.waits("a", "b")
	if _, err := s.h.Hold("b", true); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.open()
	s.waits("a", "b")
	if j, _, _ := s.h.Lookup("b"); !j.Spec.Metadata.When.Hold {
		t.Error("the next host does not know that b is held")
	}
	for _, id := range []string{"b", "a", "a"} { // b still has to wait for its time
		if _, err := s.h.Hold(id, false); err != nil && id != "a" {
			t.Fatal(err)
		}
	}
	sc := s.scene()
	if id := sc.attempt.Job.ID; id != "a" {
		t.Fatalf("%s runs", id)
	}
	if _, err := s.h.Hold("a", true); core.KindOf(err) != core.Conflict {
		t.Errorf("holding a job that runs: %v", err)
	}
	sc.end <- nil
	s.until("a", "the end", ended)
	s.waits("b")
	if _, err := s.h.Hold("nobody", true); core.KindOf(err) != core.NotFound {
		t.Errorf("holding nobody: %v", err)
	}
	if got := s.events("b"); !slices.Contains(got, "held") || !slices.Contains(got, "released") {
		t.Errorf("b's events: %v", got)
	}
}

// Of single jobs of a name one runs at a time, in the order of their coming,
// also across a restart; and who waits for one that ended before it learns so.
func TestWhenAcrossRestarts(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("one", "singleton: true")
	s.mustSubmitWhen("two", "singleton: true")
	s.mustSubmitWhen("three", "singleton: true, after: [{job: one}]")
	s.scene() // of one, which the end of the host cuts
	s.close()
	s.open()
	for _, want := range []core.JobID{"one", "two"} {
		if id := s.act(nil); id != want {
			t.Fatalf("%s runs, want %s", id, want)
		}
	}
	sc := s.scene()
	if id := sc.attempt.Job.ID; id != "three" {
		t.Fatalf("then %s runs", id)
	}
	sc.end <- nil
	s.until("three", "the end", ended)
	s.idle()
	s.mustSubmitWhen("held", "hold: true, after: [{job: one}]")
	// What somebody waits for is not forgotten.
	s.h.forgetOld(t.Context(), now().Add(1000*time.Hour))
	if got := s.known(); !slices.Equal(got, []core.JobID{"one", "held"}) {
		t.Errorf("known are %v", got)
	}
	s.close()
	s.open()
	if _, err := s.h.Hold("held", false); err != nil {
		t.Fatal(err)
	}
	if id := s.act(nil); id != "held" {
		t.Errorf("%s runs", id)
	}
}

// Who is tried again comes after the last tries of those it was to come after.
func TestRetryAfterRetry(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("parent", "")
	s.mustSubmitWhen("child", "after: [{job: parent}]")
	s.act(core.Errorf(core.Failed, "it broke"))
	s.until("child", "the end", ended)
	if _, err := s.h.Retry(t.Context(), "child"); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), "job parent failed") {
		t.Errorf("a retry after a failure: %v", err)
	}
	heir, err := s.h.Retry(t.Context(), "parent")
	if err != nil {
		t.Fatal(err)
	}
	child, err := s.h.Retry(t.Context(), "child")
	if err != nil {
		t.Fatal(err)
	}
	s.waits(child)
	for _, want := range []core.JobID{heir, child} {
		if id := s.act(nil); id != want {
			t.Errorf("%s runs, want %s", id, want)
		}
	}
}

// A job that waits says what is still to come of its When, and no more than that.
func TestAwaits(t *testing.T) {
	s := newStage(t)
	awaits := func(id core.JobID) core.When {
		t.Helper()
		j, _, err := s.h.Lookup(string(id))
		if err != nil {
			t.Fatal(err)
		}
		return j.Awaits
	}
	s.mustSubmitWhen("one", "singleton: true")
	first := s.scene()
	s.mustSubmitWhen("two", "singleton: true, hold: true, begin: 2001-01-01T00:00:00Z, after: [{job: one, ended: any}]")
	if w := awaits("two"); !w.Singleton || !w.Hold || len(w.After) != 1 || !w.Begin.IsZero() {
		t.Errorf("behind another it awaits %+v", w)
	}
	first.end <- nil
	s.until("one", "its end", ended)
	if w := awaits("two"); w.Singleton || !w.Hold || w.After != nil {
		t.Errorf("when the other has ended it awaits %+v", w)
	}
	if _, err := s.h.Hold("two", false); err != nil {
		t.Fatal(err)
	}
	second := s.scene()
	second.end <- nil
	s.until("two", "its end", ended)
}

// A prefix that several jobs share names the one of them that has not ended.
func TestPrefixOfTheLiving(t *testing.T) {
	s := newStage(t)
	s.mustSubmitWhen("etl-1", "hold: true")
	s.mustSubmitWhen("etl-2", "hold: true")
	if _, _, err := s.h.Lookup("etl"); core.KindOf(err) != core.Invalid {
		t.Errorf("two that live: %v", err)
	}
	if _, err := s.h.Cancel("etl-1", ""); err != nil {
		t.Fatal(err)
	}
	s.until("etl-1", "its end", ended)
	if j, _, err := s.h.Lookup("etl"); err != nil || j.ID != "etl-2" {
		t.Errorf("got %s, %v", j.ID, err)
	}
	if _, err := s.h.Cancel("etl", ""); err != nil {
		t.Fatal(err)
	}
	s.until("etl-2", "its end", ended)
	if _, _, err := s.h.Lookup("etl"); core.KindOf(err) != core.Invalid {
		t.Errorf("two that have ended: %v", err)
	}
}
