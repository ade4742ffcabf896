package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// play runs a job to its end.
func (s *stage) play() core.JobID {
	s.t.Helper()
	id := s.submit(1, 0)
	s.started()
	s.scene().end <- nil
	s.until(id, "the end", ended)
	s.idle()
	return id
}

func (s *stage) known() []core.JobID {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return slices.Clone(s.h.order)
}

// The last jobs that ended are kept while they are young; of the others nothing
// is left, for this host and the next (law H9).
func TestForgetOld(t *testing.T) {
	s := newStageAt(t, t.TempDir(), func(c *Config) { c.KeepJobs = 3 })
	var ids []core.JobID
	for range 5 {
		ids = append(ids, s.play())
	}
	alive := s.submit(1, 0)
	s.started()
	s.scene()
	s.h.forgetOld(t.Context(), now())
	if got, want := s.known(), append(slices.Clone(ids[2:]), alive); !slices.Equal(got, want) {
		t.Errorf("kept are %v, want %v", got, want)
	}
	if _, err := s.h.journal.Job(t.Context(), ids[0]); core.KindOf(err) != core.NotFound {
		t.Errorf("the journal still has %s: %v", ids[0], err)
	}
	if dirs, _ := os.ReadDir(filepath.Join(s.dir, "jobs")); len(dirs) != 4 {
		t.Errorf("directories of jobs left: %v", dirs)
	}
	s.h.forgetOld(t.Context(), now().Add(29*24*time.Hour))
	if got := s.known(); len(got) != 4 {
		t.Errorf("after 29 days %v are kept", got)
	}
	s.h.forgetOld(t.Context(), now().Add(31*24*time.Hour))
	if got := s.known(); !slices.Equal(got, []core.JobID{alive}) {
		t.Errorf("after 31 days %v are kept", got)
	}
	if _, _, err := s.h.Lookup(string(ids[4])); core.KindOf(err) != core.NotFound {
		t.Errorf("an old job is found: %v", err)
	}
}

// Leases do not come again, though nobody remembers the job that had the last.
func TestForgottenLease(t *testing.T) {
	s := newStage(t)
	id := s.play()
	s.h.mu.Lock()
	lease := s.h.jobs[id].rec.Lease
	s.h.mu.Unlock()
	s.h.forgetOld(t.Context(), now().Add(31*24*time.Hour))
	if len(s.known()) != 0 {
		t.Fatal("the job is kept")
	}
	s.close()
	if err := os.MkdirAll(filepath.Join(s.dir, "jobs", "stray"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.open()
	next := s.play()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if got := s.h.jobs[next].rec.Lease; got <= lease {
		t.Errorf("lease %d after %d", got, lease)
	}
}

// A host that has been up for long forgets without being asked, and a start
// removes what a dying host left of a job.
func TestForgetByItself(t *testing.T) {
	s := newStageAt(t, t.TempDir(), func(c *Config) { c.KeepFor = time.Nanosecond })
	s.play()
	s.close()
	stray := filepath.Join(s.dir, "jobs", "stray")
	if err := os.MkdirAll(stray, 0o700); err != nil {
		t.Fatal(err)
	}
	s.open()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ; time.Now().Before(deadline); <-tick.C {
		_, err := os.Stat(stray)
		if len(s.known()) == 0 && os.IsNotExist(err) {
			return
		}
	}
	t.Errorf("it still knows %v, and has %s", s.known(), stray)
}

// A shipped file stays while a job names it, in its plan or its spec, or
// somebody has asked for it.
func TestSweepArtifacts(t *testing.T) {
	s := newStage(t)
	id := s.play()
	names := map[string]string{
		"program": strings.Repeat("a", 64), "file": strings.Repeat("b", 64), "body": strings.Repeat("c", 64),
		"asked": strings.Repeat("d", 64), "young": strings.Repeat("e", 64), "old": strings.Repeat("f", 64),
	}
	for name, sum := range names {
		if err := os.WriteFile(s.h.shipped.path(sum), nil, 0o555); err != nil {
			t.Fatal(err)
		}
		if at := now().Add(-25 * time.Hour); name != "young" {
			if err := os.Chtimes(s.h.shipped.path(sum), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.h.mu.Lock()
	rec := &s.h.jobs[id].rec
	rec.Plan.Gangs = []core.GangAsk{{Program: names["program"], Files: []core.File{{SHA256: names["file"]}}}}
	rec.Job.Spec.Body = []byte(`{"map":{"exec":["artifact:` + names["body"] + `/mapper.py"]}}`)
	s.h.mu.Unlock()
	if !s.h.shipped.has(names["asked"]) {
		t.Error("a file that is there is not found")
	}
	left := func() (list []string) {
		for name, sum := range names {
			if _, err := os.Stat(s.h.shipped.path(sum)); err == nil {
				list = append(list, name)
			}
		}
		slices.Sort(list)
		return list
	}
	s.h.sweepArtifacts(now())
	if got, want := left(), []string{"asked", "body", "file", "program", "young"}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	s.h.forgetOld(t.Context(), now().Add(31*24*time.Hour))
	s.h.sweepArtifacts(now().Add(25 * time.Hour))
	if got := left(); len(got) != 0 {
		t.Errorf("left are %v of jobs that were forgotten", got)
	}
}
