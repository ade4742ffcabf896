package scenarios

import (
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestHostRestarted ends the host as Ctrl-C would, in the middle of a job. The
// executors stay, and the next host goes on with them.
func TestHostRestarted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[0]
		job, want, r := l.start(p)
		p.reach(l, job)
		before := l.executors(job)
		l.down()
		l.up()
		l.event(job, "adopted", "")
		if after := l.executors(job); len(before) != 2 || !maps.Equal(before, after) {
			t.Errorf("the executors were %v and are %v", before, after)
		}
		p.leave(l)
		l.finish(job, want, r)
	})
}

// TestTwoHosts refuses a second host on one state directory and leaves the first
// alone.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	r := l.do("up", "--launcher", "process")
	if r.code == 0 || !strings.Contains(r.err, l.state) || !strings.Contains(r.err, "fix:") {
		t.Errorf("a second host: %s", r)
	}
	want := l.fill(1, 10, nil)
	l.ok("run", "-q", l.held("held", 1, ""))
	l.check(want, "s3://results/held")
}

// TestCancel ends a job whose mapper would never end.
func TestCancel(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[0]
		job, _, r := l.start(p)
		p.reach(l, job)
		l.ok("cancel", job, "--reason", "enough of it")
		if res := r.end(); res.code != core.Cancelled.ExitCode() || !strings.Contains(res.err, "enough of it") {
			t.Errorf("the command that followed the job: %s", res)
		}
		l.event(job, "swept", "")
		if got := l.executors(job); len(got) > 0 {
			t.Errorf("executors are left: %v", got)
		}
	})
}

// TestQueue submits a gang that fits only when another has ended: it waits
// whole, says why, and runs.
func TestQueue(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	p := phases()[0]
	job, want, r := l.start(p)
	p.reach(l, job)
	cpu := l.nodeCPU()
	doc := strings.NewReplacer("size: 2, cpu: 500m", "size: 2, cpu: "+(cpu/2).String(), "%IN%", l.in(), "results/wrong", "results/second").Replace(usual)
	l.ok("submit", "-q", "--id", "second", l.write("second.yaml", doc))
	if why := l.ok("why", "second"); !strings.Contains(why, "cpu") || l.job("second").State != core.Queued {
		t.Errorf("the second job is %s: %s", l.job("second").State, why)
	}
	if got := l.executors("second"); len(got) > 0 {
		t.Errorf("a gang that waits has executors: %v", got)
	}
	p.leave(l)
	l.finish(job, want, r)
	l.ok("wait", "second")
}

// nodeCPU is what the one node has.
func (l *lab) nodeCPU() core.MilliCPU {
	l.t.Helper()
	var nodes []core.Node
	decode(l.t, l.ok("node", "list", "-o", "json"), &nodes)
	return nodes[0].Capacity.CPU
}

// TestWarm runs jobs from a pool of warm executors, also after a host with a
// full pool was killed. None of them is left (by the look for leftovers).
func TestWarm(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher, "--warm", "2")
		want := l.fill(2, 100, nil)
		run := func(id string) {
			t.Helper()
			doc := strings.NewReplacer("%IN%", l.in(), "results/wrong", "results/"+id).Replace(usual)
			l.ok("run", "-q", "--id", id, l.write("job.yaml", doc))
			l.check(want, "s3://results/"+id)
		}
		run("one")
		run("two")
		l.killHost()
		l.up()
		run("three")
	})
}

// TestNetwork gives a gang a network of its own; without, there is none.
func TestNetwork(t *testing.T) {
	t.Parallel()
	for _, launcher := range launchers(t) {
		if launcher != "docker" {
			continue
		}
		l := open(t, launcher)
		put(l.in(), "a.txt", []byte(good))
		for network, want := range map[string]string{"": "lo", ", network: true": "eth0,lo"} {
			doc := strings.NewReplacer("256Mi}", "256Mi"+network+"}", "%IN%", l.in(), `results/wrong"`, `results/wrong", ifExists: replace`).
				Replace(script("echo $(ls /sys/class/net | sort | paste -sd,)"))
			l.ok("run", "-q", l.write("net.yaml", strings.Replace(doc, "reduce: {use: sum}", "reduce: {use: count}", 1)))
			if got := l.ok("store", "cat", "s3://results/wrong"); !strings.HasPrefix(got, want+"\t") {
				t.Errorf("a gang with %q has the interfaces %q", network, got)
			}
		}
	}
}

// TestDetach interrupts a command whose host was started for the occasion. The
// job goes on, and the host ends with it.
func TestDetach(t *testing.T) {
	t.Parallel()
	l := bare(t, "process")
	l.fill(2, 100, map[int]string{0: "@hold m"})
	r := l.begin("run", "--launcher", "process", "--id", "held", l.held("held", 1, ""))
	l.until("the mapper", func() bool { return strings.Contains(l.do("logs", "held").out, "holding m") })
	r.cmd.Process.Signal(os.Interrupt)
	if res := r.end(); res.code != 0 || !strings.Contains(res.err, "capstan wait held") {
		t.Errorf("a command that was interrupted: %s", res)
	}
	l.letGo("m")
	l.ok("wait", "held")
	l.until("the end of the host", func() bool { return len(l.processes()) == 0 })
}

// TestRetries fails an attempt as a whole: the next one, with a number of its
// own, gives the answer.
func TestRetries(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	want := l.fill(2, 100, map[int]string{0: "@hold m"})
	doc := read(t, l.held("held", 1, ""))
	doc = strings.NewReplacer("name: held}", "name: held, retries: 1}", "speculation: false", "speculation: false, attempts: 1").Replace(doc)
	r := l.begin("run", "--id", "held", l.write("held.yaml", doc))
	l.until("the job", func() bool { _, err := l.client.Get(t.Context(), "held"); return err == nil })
	l.logged("held", "holding m")
	l.killScript("mapper.sh", "awk")
	l.event("held", "retried", "attempt 2")
	l.letGo("m")
	if res := r.end(); res.code != 0 {
		t.Fatalf("the command that followed the job: %s", res)
	}
	if j := l.job("held"); j.Epoch != 2 {
		t.Errorf("the job ended in attempt %d", j.Epoch)
	}
	l.check(want, "s3://results/held")
}

// killScript ends the lab's own mapper processes.
func (l *lab) killScript(names ...string) {
	l.t.Helper()
	killed := false
	for _, p := range l.processes() {
		pid, line, _ := strings.Cut(p, ": ")
		for _, name := range names {
			if strings.HasPrefix(line, name+" ") || strings.Contains(line, "/"+name) {
				killed = syscall.Kill(atoi(l.t, pid), syscall.SIGKILL) == nil || killed
			}
		}
	}
	if !killed {
		l.t.Fatalf("no process of %v among\n%s", names, strings.Join(l.processes(), "\n"))
	}
}
