package host

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/calendar"
	"github.com/capstan-run/capstan/core/journal"
)

// put brings a schedule of a small job; when is its fields, and job what the
// job's spec holds.
func (s *stage) put(name, when, job string) error {
	s.t.Helper()
	doc := fmt.Sprintf(`
apiVersion: capstan/v1
kind: Schedule
metadata: {name: %s}
spec:
  %s
  job:
    apiVersion: capstan/v1
    kind: Play
    metadata: {name: play}
    gang: {size: 1, cpu: 100m, memory: 1Mi}
    spec: {%s}
`, name, when, job)
	_, _, err := s.h.PutSchedule(s.t.Context(), []byte(doc), "test")
	return err
}

func (s *stage) mustPut(name, when string) {
	s.t.Helper()
	if err := s.put(name, when, ""); err != nil {
		s.t.Fatal(err)
	}
}

// fire runs a schedule by hand.
func (s *stage) fire(name string) core.JobID {
	s.t.Helper()
	r, err := s.h.clerk.step(s.t.Context(), calendar.Run{Now: now().UnixMilli(), Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return core.JobID(r.Firing)
}

// act lets the next coordinator that runs end so, and answers its job.
func (s *stage) act(err error) core.JobID {
	s.t.Helper()
	scene := s.scene()
	scene.end <- err
	id := scene.attempt.Job.ID
	s.until(id, "the end", ended)
	return id
}

// past waits until a schedule has had n ends, and shows it.
func (s *stage) past(name string, n int) calendar.View {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		v, err := s.h.clerk.calendar().View(name)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(v.Past) >= n {
			return v
		}
	}
	s.t.Fatalf("waited in vain for end %d of schedule %s", n, name)
	panic("unreachable")
}

// A due time becomes a job that is named for it, and its child comes after it.
func TestScheduleFires(t *testing.T) {
	s := newStage(t)
	s.mustPut("each", `cron: "* * * * * *"`)
	s.mustPut("child", `after: [{schedule: each}]`)
	first := s.scene()
	if _, err := s.h.clerk.step(t.Context(), calendar.Pause{Name: "each"}); err != nil {
		t.Fatal(err)
	}
	var due int64
	if n, _ := fmt.Sscanf(string(first.attempt.Job.ID), "each-%d", &due); n != 1 || due > now().Unix() {
		t.Errorf("the job is called %s", first.attempt.Job.ID)
	}
	first.end <- nil
	if id := s.act(nil); id != "child-r1" {
		t.Errorf("then came %s", id)
	}
}

// A host that went away in the middle does what it had not done, once (H11):
// between the row and the submit, and between a job's end and the row.
func TestScheduleAcrossRestarts(t *testing.T) {
	s := newStage(t)
	s.mustPut("a", `cron: "@yearly"`)
	s.mustPut("b", `after: [{schedule: a}]`)
	next := s.h.clerk.calendar().Clone()
	if _, err := next.Step(calendar.Run{Now: now().UnixMilli(), Name: "a"}); err != nil {
		t.Fatal(err)
	}
	fired := next.Row("a")
	s.write(map[string][]byte{"schedule/a": fired})
	s.close()
	s.open()
	if id := s.act(nil); id != "a-m1" {
		t.Fatalf("after the restart %s runs", id)
	}
	if id := s.act(nil); id != "b-r1" {
		t.Fatalf("then %s runs", id)
	}
	s.past("b", 1)
	s.idle()
	// As if the host had ended before it heard of the two.
	s.write(map[string][]byte{"schedule/a": fired})
	s.close()
	s.open()
	if v := s.past("a", 1); len(v.Running) != 0 || v.Past[0].State != core.Succeeded {
		t.Errorf("a: %+v", v)
	}
	if id := s.act(nil); id != "b-r2" {
		t.Errorf("the edge that arrived anew brings %s", id)
	}
	for _, id := range []core.JobID{"a-m1", "b-r1", "b-r2"} {
		if n := s.count(id, "submitted"); n != 1 {
			t.Errorf("%s was submitted %d times", id, n)
		}
	}
}

// A timeout cancels the job, and a schedule hears of a job that its plugin
// refuses.
func TestScheduleFailures(t *testing.T) {
	s := newStage(t)
	s.mustPut("slow", "timeout: 1ms\n  cron: '@yearly'")
	s.fire("slow")
	if v := s.past("slow", 1); v.Past[0].State != core.Canceled || !strings.Contains(v.Past[0].Why, "timeout of 1ms") {
		t.Errorf("slow: %+v", v.Past)
	}
	s.mustPut("bare", `cron: "@yearly"`)
	row := strings.Replace(string(s.h.clerk.calendar().Row("bare")), `"kind":"Play"`, `"kind":"Gone"`, 1)
	s.write(map[string][]byte{"schedule/bare": []byte(row)})
	s.close()
	s.open()
	s.fire("bare")
	if v := s.past("bare", 1); v.Past[0].State != calendar.Refused || !strings.Contains(v.Past[0].Why, "no framework serves kind") {
		t.Errorf("bare: %+v", v.Past)
	}
}

// What cannot run is refused when it is put, where it stands.
func TestScheduleRefused(t *testing.T) {
	s := newStage(t)
	s.mustPut("a", `cron: "@yearly"`)
	for _, c := range []struct{ name, when, want string }{
		{"b", `cron: "61 * * * *"`, "line 6:9: spec.cron: "},
		{"b", `after: [{schedule: nobody}]`, `line 6:22: spec.after.0.schedule: there is no schedule "nobody"`},
		{"a", `after: [{schedule: a}]`, "a after a"},
	} {
		if err := s.put(c.name, c.when, ""); core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.when, err, c.want)
		}
	}
	huge := `{"apiVersion":"capstan/v1","kind":"Schedule","metadata":{"name":"b"},"spec":{"cron":"@daily","job":
		{"apiVersion":"capstan/v1","kind":"Play","metadata":{"name":"b"},"gang":{"cpu":"9000000"},"spec":{}}}}`
	if _, _, err := s.h.PutSchedule(t.Context(), []byte(huge), "test"); err == nil {
		t.Error("a job that can never be placed was taken")
	}
	if got := s.h.clerk.calendar().Names(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("there are %v", got)
	}
}

// A shipped file that only a schedule names stays, and so does a job of which
// the schedule has not heard the end.
func TestSchedulesKeep(t *testing.T) {
	s := newStage(t)
	sum := strings.Repeat("a", 64)
	if err := s.put("a", `cron: "@yearly"`, `exec: "artifact:`+sum+`/x.py"`); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.h.shipped.path(sum), nil, 0o555); err != nil {
		t.Fatal(err)
	}
	later := now().Add(1000 * time.Hour)
	s.h.sweepArtifacts(later)
	if _, err := os.Stat(s.h.shipped.path(sum)); err != nil {
		t.Errorf("the schedule's file: %v", err)
	}
	s.fire("a")
	awaited := s.h.clerk.calendar()
	id := s.act(nil)
	s.past("a", 1)
	s.idle()
	heard := s.h.clerk.cal.Swap(awaited)
	s.h.forgetOld(t.Context(), later)
	if got := s.known(); !slices.Equal(got, []core.JobID{id}) {
		t.Errorf("known are %v", got)
	}
	s.h.clerk.cal.Store(heard)
	s.h.forgetOld(t.Context(), later)
	if got := s.known(); len(got) != 0 {
		t.Errorf("known are still %v", got)
	}
}

func (s *stage) write(rows map[string][]byte) {
	s.t.Helper()
	if err := s.h.journal.Commit(s.t.Context(), journal.Tx{Meta: rows}); err != nil {
		s.t.Fatal(err)
	}
}
