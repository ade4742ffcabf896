package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestStoreKilled ends the store's process while a job needs it. It is started
// again, and the job goes on.
func TestStoreKilled(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		p := phases()[1]
		job, want, r := l.start(p)
		p.reach(l, job)
		old := l.store()
		syscall.Kill(old, syscall.SIGKILL)
		p.leave(l)
		l.finish(job, want, r)
		if now := l.store(); now == old {
			t.Errorf("the store's process is still %d", now)
		}
	})
}

// TestStoreFrozen stops the store's process: the job waits and says so, until
// the host takes the store for dead, after a minute, and starts another.
func TestStoreFrozen(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	p := phases()[1]
	job, want, r := l.start(p)
	p.reach(l, job)
	syscall.Kill(l.store(), syscall.SIGSTOP)
	p.leave(l)
	l.finish(job, want, r)
	if log := l.ok("logs", job); !strings.Contains(log, "waiting for the store") {
		t.Errorf("the log has no word about the store:\n%s", log)
	}
}

// store is the process of the embedded store.
func (l *lab) store() int {
	l.t.Helper()
	var list []child
	l.until("the store's process", func() bool { list = l.children("store-server"); return len(list) > 0 })
	return list[len(list)-1].pid
}

// TestFullDisk fills the disk of the state directory under a running host. A job
// ends with a word about the disk, or is refused; with room again, it runs.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := bare(t, launcher)
		if err := os.Mkdir(l.state, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", l.state, "tmpfs", 0, "size=700m"); err != nil {
			t.Skipf("no disk of known size can be made here: %v", err)
		}
		t.Cleanup(func() {
			l.down()
			l.leftovers()
			syscall.Unmount(l.state, 0)
		})
		l.up()
		want := l.fill(4, 3000, nil)
		doc := func(name string) string {
			return l.write(name+".yaml", fmt.Sprintf(`apiVersion: capstan/v1
kind: MapReduce
metadata: {name: full}
gang: {size: 2, cpu: 500m, memory: 256Mi}
spec:
  input: {path: "file://%s/*.txt"}
  map: {exec: [awk, "{for (i = 0; i < 40; i++) print}"]}
  output: {path: "s3://results/%s"}
`, l.in(), name))
		}
		words := l.write("words.yaml", strings.NewReplacer("%IN%", l.in(), "results/wrong", "results/words").Replace(usual))
		l.ok("run", "-q", words)
		ballast := filepath.Join(l.state, "ballast")
		l.ballast(ballast, 200<<10)
		r := l.do("run", doc("full"))
		if r.code != core.Failed.ExitCode() || !saysDisk(r.err) || !strings.Contains(r.err, "fix:") {
			t.Errorf("a job on a full disk: %s", r)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		l.ok("run", "-q", doc("full2"))
		l.check(want, "s3://results/words")
	})
}

func saysDisk(s string) bool {
	return strings.Contains(s, "disk") || strings.Contains(s, "no space left")
}

// ballast fills the disk but for free bytes.
func (l *lab) ballast(path string, free uint64) {
	l.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(l.state, &s); err != nil {
		l.t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail*uint64(s.Bsize)-free)); err != nil {
		l.t.Fatal(err)
	}
}
