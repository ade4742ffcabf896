package host

import (
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// Who waits for a node that is being drained is told the command that opens it.
func TestWhyNamesOpen(t *testing.T) {
	s := newStage(t)
	if _, err := s.h.Drain(t.Context(), "here", false, 0); err != nil {
		t.Fatal(err)
	}
	id := s.sized(50, "size: 1")
	r, err := (&service{h: s.h}).Why(t.Context(), connect.NewRequest(&apipb.JobRequest{Id: string(id)}))
	if err != nil || !strings.Contains(r.Msg.Remedy, "`capstan node open here`") || !strings.Contains(r.Msg.Text, "would do: `capstan node open here`") {
		t.Errorf("remedy %q in %q (%v)", r.Msg.GetRemedy(), r.Msg.GetText(), err)
	}
	if _, err := s.h.Drain(t.Context(), "here", true, 0); err != nil {
		t.Fatal(err)
	}
	s.join(id, false, s.started()...)
	s.scene().end <- nil
	s.until(id, "its end", ended)
}

// A job shows what its elastic gang has; of a gang of one size that goes without
// saying.
func TestElasticGangIsCounted(t *testing.T) {
	s := newStage(t)
	id := s.sized(50, "size: 3, min: 1")
	s.join(id, false, s.started()...)
	if j := s.until(id, "its start", running); j.Executors != 2 {
		t.Errorf("%d executors are shown of the 2 that there is room for", j.Executors)
	}
	s.scene().end <- nil
	if j := s.until(id, "its end", ended); j.Executors != 0 {
		t.Errorf("%d executors are shown of a job that ended", j.Executors)
	}
	id = s.sized(50, "size: 2")
	s.join(id, false, s.started()...)
	if j := s.until(id, "its start", running); j.Executors != 0 {
		t.Errorf("a gang of one size is shown with %d executors", j.Executors)
	}
	s.scene().end <- nil
	s.until(id, "its end", ended)
}

// diagnostics are what an error says of a document.
func diagnostics(err error) (found []string) {
	for _, d := range core.AsError(err).Diagnostics {
		found = append(found, d.String())
	}
	return found
}

// What only a framework finds is told by the host with what the schema refuses, of
// a job and of the job in a schedule, whose own faults are told as well.
func TestFaultsComeAtOnce(t *testing.T) {
	s := newStage(t)
	job := "apiVersion: capstan/v1\nkind: Play\nmetadata: {name: play, priority: 500}\ngang: {sise: 2}\nspec: {unplannable: yes}\n"
	want := []string{
		"line 3:34: metadata.priority: maximum: got 500, want 100",
		`line 4:8: gang.sise: unknown field "sise" (did you mean "size"?)`,
		"line 5:21: spec.unplannable: no plan",
	}
	_, _, _, err := s.h.Submit(t.Context(), []byte(job), "", "test")
	if got := diagnostics(err); !slices.Equal(got, want) {
		t.Errorf("submit: %v\n%s", err, strings.Join(got, "\n"))
	}
	_, err = s.h.dryRun(t.Context(), []byte(job), "test")
	if got := diagnostics(err); !slices.Equal(got, want) {
		t.Errorf("plan: %v\n%s", err, strings.Join(got, "\n"))
	}
	schedule := "apiVersion: capstan/v1\nkind: Schedule\nmetadata: {name: nightly}\nspec:\n  cron: every night\n  timezone: Mars/Olympus\n  job:\n    " +
		strings.ReplaceAll(strings.TrimSpace(job), "\n", "\n    ")
	_, _, err = s.h.PutSchedule(t.Context(), []byte(schedule), "test")
	var paths []string
	for _, d := range core.AsError(err).Diagnostics {
		paths = append(paths, d.Path)
	}
	if want := []string{"spec.cron", "spec.timezone", "spec.job.metadata.priority", "spec.job.gang.sise", "spec.job.spec.unplannable"}; !slices.Equal(paths, want) {
		t.Errorf("schedule: %v\n%s", err, strings.Join(diagnostics(err), "\n"))
	}
}
