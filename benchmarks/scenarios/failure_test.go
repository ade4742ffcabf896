package scenarios

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// phase is a point of a job at which it can be held.
type phase struct {
	name  string
	holds map[int]string // lines of the corpus
	// reach waits until the job is there and answers a rank that is at work.
	reach func(l *lab, job string) int
	// leave lets the job go on.
	leave func(l *lab)
}

// partitions of the jobs held here.
const partitions = 3

func phases() []phase {
	return []phase{
		{"map", map[int]string{2: "@hold m"}, func(l *lab, job string) int {
			return l.logged(job, "holding m")
		}, func(l *lab) { l.letGo("m") }},
		{"reduce", map[int]string{2: "@pass r"}, func(l *lab, job string) int {
			return l.logged(job, "holding r")
		}, func(l *lab) { l.letGo("r") }},
		// The last reduce task writes its part while the coordinator cannot hear
		// of it: all is staged and nothing committed.
		{"commit", map[int]string{2: "@pass r"}, reachCommit, func(*lab) {}},
	}
}

func reachCommit(l *lab, job string) int {
	l.t.Helper()
	rank := l.logged(job, "holding r")
	l.until("all but the last reduce task", func() bool {
		s := l.job(job).Progress.Stages
		return len(s) == 2 && s[1].Done == partitions-1
	})
	l.signalPlugins(syscall.SIGSTOP)
	l.letGo("r")
	l.until("the last part", func() bool { return len(l.staged(job)) == partitions })
	return rank
}

// staged lists the parts that wait for the commit.
func (l *lab) staged(job string) []string {
	found, _ := filepath.Glob(filepath.Join(l.state, "store", "*", "jobs", job, "*", "out", "*", "part-*"))
	return found
}

// start begins a job that will be held, followed by a `capstan run`.
func (l *lab) start(p phase) (job string, want corpus, r *run) {
	l.t.Helper()
	want = l.fill(4, 3000, p.holds)
	r = l.begin("run", l.held("held", partitions, ""), "--id", "held")
	l.until("the job", func() bool { _, err := l.client.Get(l.t.Context(), "held"); return err == nil })
	return "held", want, r
}

// finish holds the end of a job against the fault-free one: the command that
// followed it says success, and the answer is right.
func (l *lab) finish(job string, want corpus, r *run) {
	l.t.Helper()
	if res := r.end(); res.code != 0 {
		l.t.Fatalf("the command that followed the job: %s\nlog:\n%s\nhost log:\n%s", res, l.do("logs", job, "--tail", "60").out, l.hostLog())
	}
	if j := l.job(job); j.State != core.Succeeded || j.Epoch != 1 {
		l.t.Fatalf("job %s is %s in attempt %d", job, j.State, j.Epoch)
	}
	l.check(want, "s3://results/"+job)
	l.event(job, "swept", "")
}

// atEachPhase runs a fault with each launcher at each phase.
func atEachPhase(t *testing.T, fault func(l *lab, p phase)) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		for _, p := range phases() {
			t.Run(p.name, func(t *testing.T) {
				l := bare(t, launcher)
				l.up()
				fault(l, p)
			})
		}
	})
}

func TestExecutorKilled(t *testing.T) {
	atEachPhase(t, func(l *lab, p phase) {
		job, want, r := l.start(p)
		rank := p.reach(l, job)
		l.kill(job, rank, syscall.SIGKILL)
		at := time.Now()
		e := l.event(job, "executor-lost", "rank "+strconv.Itoa(rank))
		l.t.Logf("noticed after %s: %s", e.Time.AsTime().Sub(at).Round(time.Millisecond), e.Text)
		p.leave(l)
		if p.name == "commit" {
			l.signalPlugins(syscall.SIGCONT)
		}
		l.finish(job, want, r)
	})
}

// TestExecutorFrozen stops an executor that holds a task. It is declared lost
// within ten seconds, and what it does after it is woken reaches nobody.
func TestExecutorFrozen(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[1]
		job, want, r := l.start(p)
		rank := p.reach(l, job)
		id := l.executors(job)[rank]
		l.send(id, syscall.SIGSTOP)
		at := time.Now()
		e := l.event(job, "executor-lost", "rank "+strconv.Itoa(rank))
		if took := e.Time.AsTime().Sub(at); took > 10*time.Second {
			t.Errorf("the loss was noticed after %s", took)
		}
		l.wake(id)
		p.leave(l)
		l.finish(job, want, r)
	})
}

// wake continues an executor that may be gone already.
func (l *lab) wake(id string) {
	if pid, err := strconv.Atoi(id); err == nil && l.launcher == "process" {
		syscall.Kill(pid, syscall.SIGCONT)
		return
	}
	exec.Command("docker", "kill", "--signal", "CONT", id).Run() // an error says that it is gone
}

// TestHostKilled ends the host as a power button would. The next one on the
// same state goes on with the same executors.
func TestHostKilled(t *testing.T) {
	atEachPhase(t, func(l *lab, p phase) {
		job, want, r := l.start(p)
		p.reach(l, job)
		before := l.executors(job)
		l.killHost()
		l.up()
		l.event(job, "adopted", "")
		for rank, id := range l.executors(job) {
			if before[rank] != id {
				l.t.Errorf("rank %d ran in %s and now runs in %s", rank, before[rank], id)
			}
		}
		p.leave(l)
		l.finish(job, want, r)
	})
}

// TestCoordinatorKilled ends the plugin's processes. The executors stay.
func TestCoordinatorKilled(t *testing.T) {
	atEachPhase(t, func(l *lab, p phase) {
		job, want, r := l.start(p)
		p.reach(l, job)
		before := l.executors(job)
		l.signalPlugins(syscall.SIGKILL)
		l.event(job, "plugin-crashed", "")
		if after := l.executors(job); p.name != "commit" && !maps.Equal(before, after) {
			l.t.Errorf("the executors were %v and are %v", before, after)
		}
		p.leave(l)
		l.finish(job, want, r)
	})
}

// TestHostKilledAtManifest ends the host in the moment in which the result
// becomes visible, wherever in it that is.
func TestHostKilledAtManifest(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[1]
		job, want, r := l.start(p)
		p.reach(l, job)
		p.leave(l)
		l.until("the manifest", func() bool {
			found, _ := filepath.Glob(filepath.Join(l.state, "store", "results", job, "_manifest.json"))
			return len(found) > 0
		})
		l.killHost()
		l.up()
		l.finish(job, want, r)
	})
}
