package scenarios

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// kept is a service whose copies are ready once a file is there. UPDATE and
// COMMAND are the test's.
const kept = `
apiVersion: capstan/v1
kind: Service
metadata: {name: kept}
gang: {size: 2, cpu: 100m, memory: 32Mi, image: host}
spec:
  exec: [sh, -c, "COMMAND"]
  ready: {exec: [test, -f, ready], interval: 100ms}
  restart: {backoff: 100ms}
  stop: {grace: 2s}
  volumes: [{name: data}]
  update: {UPDATE}
`

func (l *lab) keptDoc(command, update string) string {
	return l.write("kept.yaml", strings.NewReplacer("COMMAND", command, "UPDATE", update).Replace(kept))
}

// copies is what a service shows of its copies: gang → version and state.
func (l *lab) copies(job string) map[string]string {
	l.t.Helper()
	found := map[string]string{}
	for _, t := range l.job(job).Progress.Tables {
		for _, row := range t.Rows {
			if t.Title == "copies" {
				found[row[0]] = row[1] + " " + row[2]
			}
		}
	}
	return found
}

// standing waits until a service has so many copies, all of a version and ready.
func (l *lab) standing(job string, n, version int) {
	l.t.Helper()
	want := strconv.Itoa(version) + " ready"
	l.until(strconv.Itoa(n)+" copies of version "+strconv.Itoa(version), func() bool {
		copies := l.copies(job)
		for _, state := range copies {
			if state != want {
				return false
			}
		}
		return len(copies) == n
	})
}

// executorsOf lists what runs a job's gangs of one: gang → container id, or pid.
func (l *lab) executorsOf(job string) map[string]string {
	l.t.Helper()
	found := map[string]string{}
	if l.launcher == "docker" {
		for _, line := range l.docker("ps", "--filter", "label=capstan.instance="+l.instance(), "--filter", "label=job="+job,
			"--format", `{{.Label "gang"}} {{.ID}}`) {
			gang, id, _ := strings.Cut(line, " ")
			found[gang] = id
		}
		return found
	}
	files, _ := filepath.Glob(filepath.Join(l.state, "launch", "*", "*", "state.json"))
	for _, f := range files {
		var r struct {
			Labels  map[string]string
			Process struct{ PID int }
			Exit    *struct{}
		}
		b, err := os.ReadFile(f)
		if err == nil && json.Unmarshal(b, &r) == nil && r.Labels["job"] == job && r.Exit == nil {
			found[r.Labels["gang"]] = strconv.Itoa(r.Process.PID)
		}
	}
	return found
}

// TestService keeps copies alive through a killed executor, a version that does
// not start, and a host that is killed in the middle of a rollout. What a copy
// wrote into its volume is there when it comes back.
func TestService(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		const well = "echo $COPY $VERSION >> $VOLUME_DATA/log; touch ready; exec sleep 10000"
		l.ok("deploy", l.keptDoc(well, ""))
		l.standing("kept", 2, 1)

		l.send(l.executorsOf("kept")["kept-1"], syscall.SIGKILL)
		l.until("a new copy", func() bool { return l.copies("kept")["kept-1.g2"] == "1 ready" })
		l.standing("kept", 2, 1)
		if got := read(t, filepath.Join(l.state, "volumes", "kept.data.1", "log")); got != "kept-1 1\nkept-1 1\n" {
			t.Errorf("the volume of kept-1 holds %q", got)
		}

		if r := l.do("deploy", l.keptDoc("exit 3", "tries: 2")); r.code != core.Failed.ExitCode() || !strings.Contains(r.err, "did not get ready in 2 tries") {
			t.Errorf("a version that does not start: %s", r)
		}
		l.standing("kept", 2, 1)

		l.ok("deploy", "--detach", l.keptDoc(well, "canary: {copies: 1, hold: 1h}"))
		l.until("the canary", func() bool {
			return strings.HasPrefix(l.job("kept").Progress.Note, "version 3 is tried") && strings.Contains(strings.Join(values(l.copies("kept")), ","), "3 ready")
		})
		before := l.executorsOf("kept")
		l.killHost()
		l.up()
		l.until("the copies again", func() bool {
			return strings.Join(values(l.copies("kept")), ",") == "1 ready,3 ready" && strings.HasPrefix(l.job("kept").Progress.Note, "version 3 is tried")
		})
		if after := l.executorsOf("kept"); len(before) != 2 || !maps.Equal(before, after) {
			t.Errorf("the executors were %v and are %v", before, after)
		}
		l.ok("service", "rollback", "kept")
		l.standing("kept", 2, 1)
		l.ok("scale", "kept", "1")
		l.standing("kept", 1, 1)
		if out := l.ok("service", "history", "kept", "-o", "name"); out != "3\n2\n1\n" {
			t.Errorf("the history is %q", out)
		}
		l.ok("cancel", "kept")
		l.event("kept", "swept", "")
	})
}

func values(m map[string]string) []string {
	var list []string
	for _, v := range m {
		list = append(list, v)
	}
	if len(list) == 2 && list[0] > list[1] {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// TestServiceNames has copies that find each other: by the service's name the
// ready ones, and only them.
func TestServiceNames(t *testing.T) {
	t.Parallel()
	if err := engine(); err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	l := open(t, "docker")
	doc := `
apiVersion: capstan/v1
kind: Service
metadata: {name: net}
gang: {size: 3, cpu: 100m, memory: 32Mi, image: host, network: true}
spec:
  exec: [sh, -c, "[ $ORDINAL = 2 ] || touch ready; echo ready or not > page; while :; do getent ahostsv4 net | awk '/STREAM/ {print $1}' | sort | tr '\\n' ' ' > seen; getent hosts net-1 >> seen; sleep 0.2; done"]
  ports: [{name: http, port: 8080}]
  ready: {exec: [test, -f, ready], interval: 100ms}
  startWithin: 1h
  stop: {drain: 0s, grace: 1s}
`
	l.ok("deploy", "--detach", l.write("net.yaml", doc))
	l.until("two ready copies", func() bool {
		c := l.copies("net")
		return c["net-0"] == "1 ready" && c["net-1"] == "1 ready" && c["net-2"] == "1 not ready"
	})
	address := map[string]string{}
	for _, row := range l.job("net").Progress.Tables[0].Rows {
		address[row[0]], _, _ = strings.Cut(row[5], ":")
	}
	want := []string{address["net-0"], address["net-1"], address["net-1"], "net-1"}
	if want[0] > want[1] {
		want[0], want[1] = want[1], want[0]
	}
	var seen []string
	l.until("the names in net-2", func() bool {
		seen = strings.Fields(strings.Join(l.docker("exec", l.executorsOf("net")["net-2"], "cat", "seen"), " "))
		return strings.Join(seen, " ") == strings.Join(want, " ")
	})
	l.ok("cancel", "net")
	l.event("net", "swept", "")
}
