package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// executors lists what runs the ranks of a job: rank → container id, or pid.
func (l *lab) executors(job string) map[int]string {
	l.t.Helper()
	if l.launcher == "docker" {
		return l.containers(job)
	}
	found := map[int]string{}
	files, err := filepath.Glob(filepath.Join(l.state, "launch", "*", "*", "state.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range files {
		var r struct {
			Labels  map[string]string
			Process struct{ PID int }
			Exit    *struct{}
		}
		b, err := os.ReadFile(f)
		if err != nil || json.Unmarshal(b, &r) != nil || r.Labels["job"] != job || r.Exit != nil {
			continue
		}
		rank, err := strconv.Atoi(r.Labels["rank"])
		if err != nil {
			l.t.Fatal(err)
		}
		found[rank] = strconv.Itoa(r.Process.PID)
	}
	return found
}

func (l *lab) containers(job string) map[int]string {
	l.t.Helper()
	found := map[int]string{}
	for _, line := range l.docker("ps", "--filter", "label=capstan.instance="+l.instance(), "--filter", "label=job="+job,
		"--format", `{{.Label "rank"}} {{.ID}}`) {
		rank, id, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(rank)
		if err != nil {
			l.t.Fatalf("docker ps: %q", line)
		}
		found[n] = id
	}
	return found
}

// instance is the name under which the lab's host starts containers.
func (l *lab) instance() string {
	b, err := os.ReadFile(filepath.Join(l.state, "instance"))
	if err != nil {
		return "none"
	}
	return strings.TrimSpace(string(b))
}

// docker runs the docker command and answers its lines.
func (l *lab) docker(args ...string) []string {
	l.t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		l.t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
		return nil
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// kill sends a signal to the executor of a rank.
func (l *lab) kill(job string, rank int, s syscall.Signal) {
	l.t.Helper()
	id := l.executors(job)[rank]
	if id == "" {
		l.t.Fatalf("rank %d of %s has no executor", rank, job)
	}
	l.send(id, s)
}

// send sends a signal to an executor by its container id or pid.
func (l *lab) send(id string, s syscall.Signal) {
	l.t.Helper()
	if l.launcher == "docker" {
		l.docker("kill", "--signal", strconv.Itoa(int(s)), id)
		return
	}
	pid, err := strconv.Atoi(id)
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		l.t.Fatalf("signal %v to process %s: %v", s, id, err)
	}
}

// child is a process the host started.
type child struct {
	pid  int
	args string
}

// children lists the host's own children whose command line holds text, the
// youngest last.
func (l *lab) children(text string) []child {
	l.t.Helper()
	var found []child
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", l.cmd.Process.Pid))
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		for _, s := range strings.Fields(string(b)) {
			line, _ := os.ReadFile("/proc/" + s + "/cmdline")
			args := strings.Join(strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"), " ")
			if pid, err := strconv.Atoi(s); err == nil && strings.Contains(args, text) {
				found = append(found, child{pid, args})
			}
		}
	}
	sort.Slice(found, func(i, k int) bool { return startOf(found[i].pid) < startOf(found[k].pid) })
	return found
}

// startOf is when a process began, in clock ticks after boot; 0 if it is gone.
func startOf(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 20 {
		return 0
	}
	n, _ := strconv.ParseInt(f[19], 10, 64)
	return n
}

// signalPlugins sends a signal to every plugin process: those that coordinate,
// the one that plans, and the spare one.
func (l *lab) signalPlugins(s syscall.Signal) {
	l.t.Helper()
	list := l.children("plugin mapreduce")
	if len(list) == 0 {
		l.t.Fatalf("no plugin process runs")
	}
	for _, c := range list {
		syscall.Kill(c.pid, s)
	}
}
