package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_WRITER"); path != "" {
		writeUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func mustOpen(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "a journal?.db") }

func replay(t *testing.T, j *Journal) []Record {
	t.Helper()
	var out []Record
	if err := j.Replay(t.Context(), func(r Record) error { out = append(out, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func record(job core.JobID, kind string) Record {
	return Record{Time: noon, Job: job, Kind: kind, Data: []byte(`{"a":1}`), Text: kind + " it is"}
}

// TestReopen writes one of everything, closes, and reads it back.
func TestReopen(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	j := mustOpen(t, path)
	job := core.Job{ID: "wordcount-x7", State: core.Running, Epoch: 2, Submitted: noon}
	job.Spec.Gang.Memory = 512 << 20
	job.Spec.Body = []byte(`{"input":"a"}`)
	tx := Tx{
		Jobs:    []core.Job{job},
		Records: []Record{record(job.ID, "submitted"), record("other", "submitted"), record(job.ID, "granted")},
		Saves:   []Save{{job.ID, 1, []byte("one")}, {job.ID, 2, []byte("two")}, {job.ID, 3, nil}},
		Meta:    map[string][]byte{"ca": []byte("pem"), "empty": {}},
	}
	if err := j.Commit(ctx, tx); err != nil {
		t.Fatal(err)
	}
	if err := j.DropSaved(ctx, job.ID, 1); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = mustOpen(t, path)
	got, err := j.Job(ctx, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job, got); diff != "" {
		t.Errorf("job: %s", diff)
	}
	if diff := cmp.Diff(tx.Records, replay(t, j)); diff != "" {
		t.Errorf("records: %s", diff)
	}
	if tx.Records[0].Seq != 1 || tx.Records[2].Seq != 3 {
		t.Errorf("numbered %d to %d, want 1 to 3", tx.Records[0].Seq, tx.Records[2].Seq)
	}
	if s, err := j.Saved(ctx, job.ID, 2); err != nil || string(s) != "two" {
		t.Errorf("saved %q, %v", s, err)
	}
	if s, err := j.Saved(ctx, job.ID, 3); err != nil || len(s) != 0 {
		t.Errorf("saved %q, %v", s, err)
	}
	if v, err := j.Meta(ctx, "ca"); err != nil || string(v) != "pem" {
		t.Errorf("meta %q, %v", v, err)
	}
	if v, err := j.Meta(ctx, "empty"); err != nil || len(v) != 0 {
		t.Errorf("meta %q, %v", v, err)
	}
	for what, err := range map[string]error{
		"job":          second(j.Job(ctx, "nobody")),
		"dropped save": second(j.Saved(ctx, job.ID, 1)),
		"meta":         second(j.Meta(ctx, "nothing")),
	} {
		if core.KindOf(err) != core.NotFound {
			t.Errorf("%s: %v, want not found", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestLastWriteCounts(t *testing.T) {
	ctx := t.Context()
	j := mustOpen(t, newPath(t))
	for i, state := range []core.State{core.Queued, core.Running} {
		tx := Tx{
			Jobs:  []core.Job{{ID: "a", State: state, Submitted: noon}},
			Saves: []Save{{"a", 1, fmt.Append(nil, i)}},
			Meta:  map[string][]byte{"k": fmt.Append(nil, i)},
		}
		if err := j.Commit(ctx, tx); err != nil {
			t.Fatal(err)
		}
	}
	job, _ := j.Job(ctx, "a")
	saved, _ := j.Saved(ctx, "a", 1)
	value, _ := j.Meta(ctx, "k")
	if job.State != core.Running || string(saved) != "1" || string(value) != "1" {
		t.Fatalf("%s, %q, %q", job.State, saved, value)
	}
	if under, err := j.MetaUnder(ctx, "k"); err != nil || len(under) != 1 || string(under["k"]) != "1" {
		t.Errorf("under k: %q, %v", under, err)
	}
	if under, err := j.MetaUnder(ctx, "k/"); err != nil || len(under) != 0 {
		t.Errorf("under k/: %q, %v", under, err)
	}
	if err := j.SetMeta(ctx, "k", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Meta(ctx, "k"); core.KindOf(err) != core.NotFound {
		t.Fatalf("a removed value: %v", err)
	}
}

func TestJobsNewestFirst(t *testing.T) {
	ctx := t.Context()
	j := mustOpen(t, newPath(t))
	for i, state := range []core.State{core.Running, core.Succeeded, core.Running, core.Queued} {
		job := core.Job{ID: core.JobID(fmt.Sprintf("j%d", i)), State: state, Submitted: noon.Add(time.Duration(i))}
		if err := j.Commit(ctx, Tx{Jobs: []core.Job{job}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		state core.State
		limit int
		want  string
	}{
		{"", 0, "j3 j2 j1 j0"},
		{"", 2, "j3 j2"},
		{core.Running, 0, "j2 j0"},
		{core.Running, 1, "j2"},
		{core.FailedJob, 0, ""},
	} {
		jobs, err := j.Jobs(ctx, c.state, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, job := range jobs {
			got = append(got, string(job.ID))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("state %q, limit %d: %v, want %s", c.state, c.limit, got, c.want)
		}
	}
}

func TestEvents(t *testing.T) {
	ctx := t.Context()
	j := mustOpen(t, newPath(t))
	for i := range 6 {
		if err := j.Append(ctx, record(core.JobID([]string{"a", "b"}[i%2]), fmt.Sprint("k", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after int64
		limit int
		want  []int64
	}{{0, 0, []int64{1, 3, 5}}, {1, 0, []int64{3, 5}}, {0, 2, []int64{1, 3}}, {5, 9, nil}} {
		events, err := j.Events(ctx, "a", c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range events {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("after %d, limit %d: %v, want %v", c.after, c.limit, got, c.want)
		}
	}
}

// TestReplayInPages goes over more than a page, and stops where it is told to.
func TestReplayInPages(t *testing.T) {
	j := mustOpen(t, newPath(t))
	tx := Tx{Records: make([]Record, 2500)}
	if err := j.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	got := replay(t, j)
	if len(got) != 2500 {
		t.Fatalf("%d records, want 2500", len(got))
	}
	for i, r := range got {
		if r.Seq != int64(i+1) || r.Time.IsZero() {
			t.Fatalf("record %d: seq %d at %v", i, r.Seq, r.Time)
		}
	}
	enough := errors.New("enough")
	n := 0
	err := j.Replay(t.Context(), func(Record) error {
		if n++; n == 1200 {
			return enough
		}
		return nil
	})
	if err != enough || n != 1200 {
		t.Fatalf("stopped after %d with %v", n, err)
	}
}

// TestWholeOrNothing: a Tx with a fault leaves no trace.
func TestWholeOrNothing(t *testing.T) {
	ctx := t.Context()
	j := mustOpen(t, newPath(t))
	err := j.Commit(ctx, Tx{
		Jobs:    []core.Job{{ID: "a", Submitted: noon}},
		Records: []Record{{Job: "a", Kind: "k", Data: []byte("{")}},
	})
	if err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Fatalf("broken data: %v", err)
	}
	if _, err := j.Job(ctx, "a"); core.KindOf(err) != core.NotFound {
		t.Fatalf("half of it was written: %v", err)
	}
}

// TestGroupCommit has many callers at once: all are answered, numbered without
// a gap, and each finds its own record under its number.
func TestGroupCommit(t *testing.T) {
	j := mustOpen(t, newPath(t))
	const callers, each = 64, 10
	seqs := make([][]int64, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				rs := []Record{record(core.JobID(fmt.Sprint("c", c)), fmt.Sprint("k", i))}
				if err := j.Commit(t.Context(), Tx{Records: rs}); err != nil {
					t.Error(err)
					return
				}
				seqs[c] = append(seqs[c], rs[0].Seq)
			}
		})
	}
	wg.Wait()
	got := replay(t, j)
	if len(got) != callers*each {
		t.Fatalf("%d records, want %d", len(got), callers*each)
	}
	for c := range callers {
		for i, seq := range seqs[c] {
			if r := got[seq-1]; r.Seq != seq || r.Job != core.JobID(fmt.Sprint("c", c)) || r.Kind != fmt.Sprint("k", i) {
				t.Fatalf("caller %d's record %d is %+v", c, i, r)
			}
		}
	}
}

// TestGather: what is ready at one moment goes into one transaction.
func TestGather(t *testing.T) {
	j := &Journal{queue: make(chan *work, group+10)}
	for range group + 10 {
		j.queue <- &work{}
	}
	if n := len(j.gather(<-j.queue)); n != group {
		t.Fatalf("the first group has %d, want %d", n, group)
	}
	if n := len(j.gather(<-j.queue)); n != 10 {
		t.Fatalf("the second group has %d, want 10", n)
	}
}

// TestGroupWithAFault: law J2. One member of a group that cannot be written
// does not take the others down.
func TestGroupWithAFault(t *testing.T) {
	j := mustOpen(t, newPath(t))
	good1, _ := prepare(Tx{Records: []Record{record("a", "one")}})
	bad, _ := prepare(Tx{Records: []Record{record("b", "two")}})
	bad.jobs = []jobRow{{id: "b"}} // the table refuses a job without a document
	good2, _ := prepare(Tx{Records: []Record{record("a", "three")}})
	j.flush([]*work{good1, bad, good2})
	if err := <-good1.done; err != nil {
		t.Error(err)
	}
	if err := <-bad.done; err == nil {
		t.Error("a job without a document was written")
	}
	if err := <-good2.done; err != nil {
		t.Error(err)
	}
	var kinds []string
	for _, r := range replay(t, j) {
		kinds = append(kinds, r.Kind)
	}
	if diff := cmp.Diff([]string{"one", "three"}, kinds); diff != "" {
		t.Fatal(diff)
	}
}

func TestClosed(t *testing.T) {
	j := mustOpen(t, newPath(t))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), record("a", "k")); !errors.Is(err, ErrClosed) {
		t.Fatalf("%v, want ErrClosed", err)
	}
	if err := j.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
}

func TestCancelledCommit(t *testing.T) {
	j := mustOpen(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, record("a", "k")); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// The journal is none the worse for it.
	if err := j.Append(t.Context(), record("a", "k2")); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j, err := Open(filepath.Join(b.TempDir(), "j.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			b.SetParallelism(callers)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := j.Append(b.Context(), record("a", "k")); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// A lock is one host's, before a journal is opened under it and after.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	refused := func(when string) {
		t.Helper()
		_, err := Acquire(path)
		if core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) || core.AsError(err).Remedy == "" {
			t.Errorf("%s: got %v", when, err)
		}
	}
	for range 2 { // a lock that is given back can be taken
		l, err := Acquire(path)
		if err != nil {
			t.Fatal(err)
		}
		refused("held")
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := l.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	refused("opened, and the lock released")
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if again, err := Open(path); err != nil {
		t.Error(err)
	} else {
		again.Close()
	}
}

// Of a job that is forgotten nothing is left, of the others everything, and the
// numbers of its records do not come again (law J3).
func TestForget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(id core.JobID) (seq int64) {
		t.Helper()
		records := []Record{{Job: id, Kind: "submitted"}, {Job: id, Kind: "ended"}}
		err := j.Commit(t.Context(), Tx{Jobs: []core.Job{{ID: id}}, Records: records, Saves: []Save{{Job: id, State: []byte("x")}, {Job: id, Epoch: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		return records[1].Seq
	}
	kept, last := add("kept"), add("gone")
	if err := j.Commit(t.Context(), Tx{Forget: []core.JobID{"gone", "never-was"}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Job(t.Context(), "gone"); core.KindOf(err) != core.NotFound {
		t.Errorf("the job: %v", err)
	}
	for _, epoch := range []core.Epoch{0, 1} {
		if _, err := j.Saved(t.Context(), "gone", epoch); core.KindOf(err) != core.NotFound {
			t.Errorf("its state of attempt %d: %v", epoch, err)
		}
		if _, err := j.Saved(t.Context(), "kept", epoch); err != nil {
			t.Error(err)
		}
	}
	var seqs []int64
	if err := j.Replay(t.Context(), func(r Record) error { seqs = append(seqs, r.Seq); return nil }); err != nil || len(seqs) != 2 || seqs[1] != kept {
		t.Errorf("left are the records %d, %v", seqs, err)
	}
	if seq := add("gone"); seq != last+2 {
		t.Errorf("the job begun anew has record %d, after %d", seq, last)
	}
}
