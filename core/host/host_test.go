package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/host"
	"github.com/capstan-run/capstan/core/launch/pool"
	"github.com/capstan-run/capstan/core/launch/process"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "executor" {
		err := executor.Run(context.Background(), []core.Framework{&roll{}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(executor.ExitCode(err))
	}
	os.Exit(m.Run())
}

// roll is a framework whose coordinator asks every rank for its name, and ends
// when the test says so.
type roll struct {
	hold chan struct{} // closed: the coordinator may end
	gens chan int64    // generations that began
}

func (r *roll) Describe() core.Description {
	return core.Description{Kind: "Roll", Version: "1", Schema: []byte(`{"type":"object"}`), Summary: "A roll call."}
}

func (r *roll) Plan(_ context.Context, job *core.Job) (*core.Plan, error) {
	return &core.Plan{Gangs: []core.GangAsk{{Name: "main", Gang: job.Spec.Gang}}}, nil
}

func (r *roll) Run(ctx context.Context, a *core.Attempt, h core.Host) (core.Report, error) {
	select {
	case r.gens <- a.Generation:
	default:
	}
	if err := h.WantGang(core.GangAsk{Name: "main", Gang: a.Job.Spec.Gang}); err != nil {
		return core.Report{}, err
	}
	names := map[int]string{}
	size := a.Job.Spec.Gang.Size
	hold := r.hold
	for {
		select {
		case <-ctx.Done():
			return core.Report{}, ctx.Err()
		case <-hold:
			hold = nil
		case e, ok := <-h.Events():
			if !ok {
				return core.Report{}, errors.New("events ended")
			}
			switch e := e.(type) {
			case core.GangUp:
				for r := range e.Size {
					h.Send("main", r, []byte("who"))
				}
			case core.ExecutorLost:
				delete(names, e.Rank)
			case core.ExecutorReplaced:
				h.Send("main", e.Rank, []byte("who"))
			case core.Message:
				names[e.Rank] = string(e.Data)
			case core.CancelAsked:
				return core.Report{}, core.Errorf(core.Cancelled, "%s", e.Reason)
			}
		}
		if len(names) == size && hold == nil {
			return core.Report{RecordsOut: int64(len(names))}, h.Save(ctx, []byte("done"))
		}
	}
}

func (r *roll) Work(ctx context.Context, env *core.Env) error {
	if err := os.WriteFile(filepath.Join(env.Shm, fmt.Sprint("of ", env.Rank.Rank)), nil, 0o600); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-env.Inbox:
			if !ok {
				return nil
			}
			env.Log.Info("asked " + string(msg))
			if err := env.Send(ctx, []byte(fmt.Sprintf("rank %d pid %d", env.Rank.Rank, os.Getpid()))); err != nil {
				return err
			}
		}
	}
}

// inProcess serves roll without a plugin process.
type inProcess struct{ r *roll }

func (p inProcess) Kinds() []core.Description { return []core.Description{p.r.Describe()} }
func (p inProcess) Plan(ctx context.Context, j *core.Job) (*core.Plan, error) {
	return p.r.Plan(ctx, j)
}
func (p inProcess) Run(ctx context.Context, _ string, a *core.Attempt, h core.Host) (core.Report, error) {
	return p.r.Run(ctx, a, h)
}
func (p inProcess) Binary(string) (string, string, error) { return "", "", nil }
func (p inProcess) Plugins(context.Context, bool, string) ([]host.PluginInfo, error) {
	return nil, nil
}

// noStore has doors that lead nowhere, and counts what is fenced.
type noStore struct {
	mu     sync.Mutex
	fenced int
}

func (s *noStore) Door(context.Context, string, []core.StoreGrant) (host.Door, error) {
	return noDoor{s}, nil
}
func (s *noStore) Sweep(context.Context, string) error { return nil }
func (s *noStore) Admin() core.StoreAccess             { return core.StoreAccess{} }

type noDoor struct{ s *noStore }

func (noDoor) Close()                   {}
func (noDoor) Serve(net.Listener)       {}
func (noDoor) Access() core.StoreAccess { return core.StoreAccess{} }
func (d noDoor) Fence()                 { d.s.mu.Lock(); d.s.fenced++; d.s.mu.Unlock() }

type rig struct {
	t     *testing.T
	dir   string
	roll  *roll
	store *noStore
	h     *host.Host
	l     *process.Launcher
	warm  int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "caphost")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, roll: &roll{hold: make(chan struct{}), gens: make(chan int64, 10)}, store: &noStore{}}
	if err := os.Mkdir(r.shm(), 0o700); err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() {
		r.close()
		os.RemoveAll(dir)
	})
	return r
}

// shm is what the host takes for shared memory.
func (r *rig) shm() string { return filepath.Join(r.dir, "shm") }

func (r *rig) open() {
	r.t.Helper()
	l, err := process.New(r.t.Context(), process.Config{StateDir: filepath.Join(r.dir, "launch"), Instance: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	h, err := host.Open(r.t.Context(), host.Config{
		StateDir: r.dir, Version: "test", Launcher: l, LauncherWhy: "test", Frameworks: inProcess{r.roll}, Store: r.store,
		ExecutorUID: -1, ExecutorGID: -1, LostAfter: 3 * time.Second, Warm: r.warm, Shm: r.shm(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.h, r.l = h, l
}

func (r *rig) close() {
	if r.h == nil {
		return
	}
	if err := r.h.Close(); err != nil {
		r.t.Error(err)
	}
	r.l.Close()
	r.h = nil
}

const rollSpec = `
apiVersion: capstan/v1
kind: Roll
metadata: {name: roll}
gang: {size: %d, cpu: 100m, memory: 64Mi}
spec: {}
`

func (r *rig) submit(size int, id string) core.JobID {
	r.t.Helper()
	jobID, _, _, err := r.h.Submit(r.t.Context(), fmt.Appendf(nil, rollSpec, size), id, "test")
	if err != nil {
		r.t.Fatal(err)
	}
	return jobID
}

// until waits for a job's state to satisfy ok.
func (r *rig) until(id core.JobID, what string, ok func(core.Job) bool) core.Job {
	r.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		j, changed, err := r.h.Lookup(string(id))
		if err != nil {
			r.t.Fatal(err)
		}
		if ok(j) {
			return j
		}
		select {
		case <-changed:
		case <-deadline.C:
			doc, _ := json.Marshal(j)
			r.t.Fatalf("job %s: waited in vain for %s; it is %s", id, what, doc)
		}
	}
}

func final(j core.Job) bool { return j.State.Final() }

func TestRun(t *testing.T) {
	r := newRig(t)
	close(r.roll.hold)
	j := r.until(r.submit(3, ""), "the end", final)
	if j.State != core.Succeeded || j.Outcome.Report.RecordsOut != 3 {
		t.Fatalf("got %s, %+v", j.State, j.Outcome)
	}
	r.swept(j.ID)
}

// swept waits until nothing of the job is left.
func (r *rig) swept(id core.JobID) {
	r.t.Helper()
	r.waitIdle()
	list, err := r.l.List(r.t.Context())
	if err != nil || len(list) != 0 {
		r.t.Errorf("executors left: %v, %v", list, err)
	}
	left, _ := os.ReadDir(filepath.Join(r.dir, "gangs"))
	if len(left) != 0 {
		r.t.Errorf("gang directories left: %v", left)
	}
	left, _ = os.ReadDir(r.shm())
	if len(left) != 0 {
		r.t.Errorf("directories in shared memory left: %v", left)
	}
	if r.store.fenced == 0 {
		r.t.Error("the job's door to the store was not fenced")
	}
}

// kill ends an executor's process behind everybody's back.
func (r *rig) kill(id string) {
	r.t.Helper()
	files, _ := filepath.Glob(filepath.Join(r.dir, "launch", "*", id, "state.json"))
	if len(files) != 1 {
		r.t.Fatalf("records of %s: %v", id, files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		r.t.Fatal(err)
	}
	var rec struct{ Process struct{ PID int } }
	if err := json.Unmarshal(b, &rec); err != nil || rec.Process.PID < 2 {
		r.t.Fatalf("%s: %v", b, err)
	}
	if err := syscall.Kill(rec.Process.PID, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) waitIdle() {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if idle, _ := r.h.Idle(); idle {
			return
		}
		<-tick.C
	}
	r.t.Fatal("the host does not become idle")
}

func TestAttach(t *testing.T) {
	r := newRig(t)
	id := r.submit(1, "same")
	if again := r.submit(1, "same"); again != id {
		t.Errorf("got %s, want %s", again, id)
	}
	_, _, _, err := r.h.Submit(t.Context(), fmt.Appendf(nil, rollSpec, 2), "same", "test")
	if core.KindOf(err) != core.Conflict {
		t.Errorf("another spec under the same id: got %v, want a conflict", err)
	}
	close(r.roll.hold)
	r.until(id, "the end", final)
	r.waitIdle()
}

func TestTooLarge(t *testing.T) {
	r := newRig(t)
	_, _, _, err := r.h.Submit(t.Context(), fmt.Appendf(nil, rollSpec, 99999), "", "test")
	var e *core.Error
	if !errors.As(err, &e) || e.Kind != core.Unplaceable || !strings.Contains(e.Remedy, "would fit") {
		t.Errorf("got %#v, want unplaceable with what would fit", err)
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	id := r.submit(2, "")
	r.until(id, "running", func(j core.Job) bool { return j.State == core.Running })
	if _, err := r.h.Cancel(string(id), "changed my mind"); err != nil {
		t.Fatal(err)
	}
	if j := r.until(id, "the end", final); j.State != core.Canceled || j.Outcome.What != "cancelled by the user: changed my mind" {
		t.Errorf("got %s, %+v", j.State, j.Outcome)
	}
	r.swept(id)
}

func TestExecutorKilled(t *testing.T) {
	r := newRig(t)
	id := r.submit(3, "")
	r.until(id, "running", func(j core.Job) bool { return j.State == core.Running })
	list, err := r.l.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("got %v, %v", list, err)
	}
	r.kill(list[1].ID)
	close(r.roll.hold)
	j := r.until(id, "the end", final)
	if j.State != core.Succeeded {
		t.Fatalf("got %s, %+v", j.State, j.Outcome)
	}
	r.swept(id)
}

func TestHostRestart(t *testing.T) {
	r := newRig(t)
	id := r.submit(3, "")
	r.until(id, "running", func(j core.Job) bool { return j.State == core.Running })
	before, _ := r.l.List(t.Context())
	r.close()
	r.open()
	close(r.roll.hold)
	j := r.until(id, "the end", final)
	if j.State != core.Succeeded {
		t.Fatalf("got %s, %+v", j.State, j.Outcome)
	}
	if g1, g2 := <-r.roll.gens, <-r.roll.gens; g1 != 1 || g2 != 2 {
		t.Errorf("coordinator generations %d, %d; want 1, 2", g1, g2)
	}
	if len(before) != 3 {
		t.Errorf("%d executors before the restart", len(before))
	}
	r.swept(id)
	r.close()
	r.open() // a finished job is there after another restart, as it ended
	if j := r.until(id, "the end", final); j.State != core.Succeeded {
		t.Errorf("after another restart: %s", j.State)
	}
}

func TestWarm(t *testing.T) {
	r := newRig(t)
	r.close()
	r.warm = 1
	r.open()
	close(r.roll.hold)
	r.until(r.submit(2, ""), "the end", final) // makes the shape known
	r.untilWarm(2)
	id := r.submit(2, "")
	if j := r.until(id, "the end", final); j.State != core.Succeeded {
		t.Fatalf("got %s, %+v", j.State, j.Outcome)
	}
	if n := r.warmMembers(id); n != 2 {
		t.Fatalf("%d of its executors were warm", n)
	}
	if log := r.log(id); !strings.Contains(log, "asked who") {
		t.Errorf("the log lacks the warm executors' lines:\n%s", log)
	}
	r.close()
	r.warm = 0
	r.open()
	r.swept(id)
}

// untilWarm waits until the host says that n warm executors stand ready.
func (r *rig) untilWarm(n int) {
	r.t.Helper()
	server := httptest.NewServer(r.h.Handler("token"))
	defer server.Close()
	c, err := api.Dial(api.Options{Address: server.URL, Token: "token"})
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var nodes []struct{ Warm pool.Stand }
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		answer, err := c.RPC().Nodes(r.t.Context(), connect.NewRequest(&apipb.NodesRequest{}))
		if err != nil {
			r.t.Fatal(err)
		}
		nodes = make([]struct{ Warm pool.Stand }, len(answer.Msg.Nodes))
		for i, doc := range answer.Msg.Nodes {
			if err := api.FromStruct(doc, &nodes[i]); err != nil {
				r.t.Fatal(err)
			}
		}
		if len(nodes) == 1 && nodes[0].Warm == (pool.Stand{Ready: n, Wanted: n}) {
			return
		}
	}
	r.t.Fatalf("no %d warm executors: %+v", n, nodes)
}

func (r *rig) log(id core.JobID) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, "jobs", string(id), "log"))
	return string(b)
}

// warmMembers counts the executors of the job's gang that came from the pool.
func (r *rig) warmMembers(id core.JobID) int {
	r.t.Helper()
	members, err := r.h.Members(string(id))
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, m := range members {
		if strings.HasPrefix(m, "warm.") {
			n++
		}
	}
	return n
}
