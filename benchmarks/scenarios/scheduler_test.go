package scenarios

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// sleeper is a job that takes so much of the machine and does nothing.
func sleeper(name, metadata, cpu string) string {
	return fmt.Sprintf(`apiVersion: capstan/v1
kind: Batch
metadata: {name: %s, walltime: 10m, %s}
gang: {size: 1, cpu: %s, memory: 32Mi, grace: 1s}
spec: {command: [sleep, "300"]}
`, name, metadata, cpu)
}

// cores is how many milli-CPUs the lab's machine has.
func (l *lab) cores() int64 {
	l.t.Helper()
	var nodes []core.Node
	if err := json.Unmarshal([]byte(l.ok("node", "list", "-o", "json")), &nodes); err != nil {
		l.t.Fatal(err)
	}
	return int64(nodes[0].Capacity.CPU)
}

// TestReadmeScheduler sets the queues of the README and runs its questions
// about a job that waits for another.
func TestReadmeScheduler(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	if out := l.ok("queue", "set", l.write("queues.yaml", block(t, "research/vision"))); !strings.Contains(out, "research/vision") {
		t.Errorf("queue set shows\n%s", out)
	}
	most := fmt.Sprintf("%dm", l.cores())
	runs := strings.TrimSpace(l.ok("submit", "-o", "name", l.write("runs.yaml", sleeper("runs", "queue: batch", most))))
	l.until("the first runs", func() bool { return l.job(runs).State == core.Running })
	waits := strings.TrimSpace(l.ok("submit", "-o", "name", l.write("waits.yaml", sleeper("waits", "queue: batch", most))))
	l.write("job.yaml", sleeper("next", "queue: research/vision", "100m"))
	for line := range strings.Lines(block(t, "capstan why JOB")) {
		if !strings.HasPrefix(line, "capstan ") {
			continue // the rest of an explanation
		}
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "capstan "), "   ")
		command = strings.NewReplacer("JOB", waits, "other-1f0", runs, "job.yaml", l.dir+"/job.yaml").Replace(command)
		out := l.ok(strings.Fields(command)...)
		want := map[string]string{"why": "the end of " + runs, "plan": "waits", "what-if " + waits + " --size": "larger than the cluster",
			"what-if " + waits + " --node": waits + "/main would start now", "top": waits, "queue": "research/vision"}
		known := false
		for start, text := range want {
			if strings.HasPrefix(command, start) {
				known = true
				if !strings.Contains(out, text) {
					t.Errorf("%s does not say %q:\n%s", command, text, out)
				}
			}
		}
		if !known {
			t.Errorf("%s is not known here", command)
		}
	}
	l.end(waits)
	l.end(runs)
}

// end cancels a job and waits until it has ended.
func (l *lab) end(id string) {
	l.t.Helper()
	l.ok("cancel", id)
	l.until("the end of "+id, func() bool { return l.job(id).State.Final() })
}

// runs reports whether a gang of a job holds nodes.
func (l *lab) runs(id string) bool {
	l.t.Helper()
	var top struct {
		Running []struct{ Gang, State string }
	}
	if err := json.Unmarshal([]byte(l.ok("top", "-o", "json")), &top); err != nil {
		l.t.Fatal(err)
	}
	for _, g := range top.Running {
		if strings.HasPrefix(g.Gang, id+"/") && g.State == "running" {
			return true
		}
	}
	return false
}

// TestGivesWay: a job of higher priority displaces another, which hears of it,
// stands in line where it stood, and runs again; over a restart of the host the
// queues stay.
func TestGivesWay(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.ok("queue", "set", l.write("queues.yaml", "queues: [{name: default, preemptLower: true}]\n"))
		l.killHost()
		l.up()
		most := fmt.Sprintf("%dm", l.cores())
		low := strings.TrimSpace(l.ok("submit", "-o", "name", l.write("low.yaml", withHost(sleeper("low", "priority: 10", most)))))
		l.until("the first runs", func() bool { return l.job(low).State == core.Running })
		high := strings.TrimSpace(l.ok("submit", "-o", "name", l.write("high.yaml", withHost(sleeper("high", "priority: 90", most)))))
		l.event(low, "give-way", high)
		l.until("the urgent one runs", func() bool { return l.job(high).State == core.Running })
		if out := l.ok("why", low); !strings.Contains(out, "the end of "+high) {
			t.Errorf("the displaced job says\n%s", out)
		}
		l.end(high)
		l.until("the displaced one runs again", func() bool { return l.runs(low) })
		l.end(low)
	})
}

// withHost runs doc's command in containers, too.
func withHost(doc string) string {
	return strings.Replace(doc, "memory: 32Mi", "memory: 32Mi, image: host", 1)
}

// TestReadmeBatch runs the document of a batch job, and submits a script in
// every way the README shows.
func TestReadmeBatch(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	id := strings.TrimSpace(l.ok("submit", "-o", "name", l.write("hello.yaml", block(t, "kind: Batch"))))
	l.ok("wait", id)
	for rank := range 2 {
		if got := l.logged(id, fmt.Sprintf("rank %d of 2", rank)); got != rank {
			t.Errorf("rank %d says it is %d", got, rank)
		}
	}
	script := l.write("job.sh", "#!/bin/sh\n#SBATCH --job-name=hello -t 10 --mem 32M\necho \"$SLURM_JOB_NAME $1 $2\"\n")
	for line := range strings.Lines(block(t, "capstan submit job.sh")) {
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "capstan "), "  ")
		args := strings.Fields(strings.NewReplacer("job.sh", script, "-c 4", "-c 1", "'make -j4'", "true").Replace(command))
		out := l.ok(args...)
		if args[0] != "submit" {
			continue
		}
		id := strings.Fields(out)[0]
		l.ok("wait", id)
		if strings.Contains(command, "one two") {
			l.logged(id, "hello one two")
		}
	}
}

// TestReadmeWhen holds that the metadata of the README are understood.
func TestReadmeWhen(t *testing.T) {
	t.Parallel()
	l := bare(t, "process")
	doc := "apiVersion: capstan/v1\nkind: Batch\n" + block(t, "name: report") + "spec: {command: [\"true\"]}\n"
	l.ok("validate", l.write("report.yaml", doc))
}
