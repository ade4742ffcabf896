package scenarios

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestCoordinatorFrozen stops the plugin's processes: they are taken for hung,
// killed and started again, and the job goes on.
func TestCoordinatorFrozen(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	p := phases()[0]
	job, want, r := l.start(p)
	p.reach(l, job)
	l.signalPlugins(syscall.SIGSTOP)
	if e := l.event(job, "plugin-crashed", ""); !strings.Contains(e.Text, "did not answer") {
		t.Errorf("the event says %q", e.Text)
	}
	p.leave(l)
	l.finish(job, want, r)
}

// TestCoordinatorCrashesOften ends the coordinator each time it comes back. The
// third time ends the job, and no other.
func TestCoordinatorCrashesOften(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[0]
		job, _, r := l.start(p)
		p.reach(l, job)
		// A signal may reach a spare process only, so there are as many as it
		// takes. One that has just begun has no stack to show.
		l.until("the end of the job", func() bool {
			for _, c := range l.children("plugin mapreduce") {
				if age(t, c.pid) > 100 {
					syscall.Kill(c.pid, syscall.SIGABRT)
				}
			}
			return l.job(job).State.Final()
		})
		res := r.end()
		if res.code != core.Failed.ExitCode() || !strings.Contains(res.err, "crashed 3 times") || !strings.Contains(res.err, "fix:") || !strings.Contains(res.err, "goroutine") {
			t.Errorf("the command that followed the job: %s", res)
		}
		for _, n := range []string{"1 of 3", "2 of 3", "3 of 3"} {
			l.event(job, "plugin-crashed", n)
		}
		p.leave(l)
		l.eventAfterEnd(t.Context(), job, "swept")
		doc := strings.NewReplacer("%IN%", l.in(), "results/wrong", "results/next").Replace(usual)
		l.ok("run", "-q", l.write("next.yaml", doc))
	})
}

// age is how long a process has run, in clock ticks: a hundred a second.
func age(t *testing.T, pid int) int64 {
	t.Helper()
	up, err := strconv.ParseFloat(strings.Fields(read(t, "/proc/uptime"))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(up*100) - startOf(pid)
}
