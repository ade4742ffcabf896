package plugintest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Options shape a run. The zero value is a gang as the spec asks for it.
type Options struct {
	Size  int              // executors; overrides the spec's, default 2
	Store core.StoreAccess // given to coordinator and workers
	// On, when set, hears every event before the coordinator does.
	On func(*Gang, core.Event)
	// Saved and Generation are those of the attempt, for a coordinator that
	// takes over; default nil and 1.
	Saved      []byte
	Generation int64
}

// Run plans a job of spec, runs its coordinator with in-process workers, and
// returns what the coordinator returned. Workers have ended when it returns;
// what one of them failed with is logged to t and told to the coordinator as
// ExecutorLost.
func Run(t testing.TB, f core.Framework, spec core.Spec, o Options) (core.Report, error) {
	t.Helper()
	return NewGang(t, f, spec, o).Run(t.Context())
}

// Gang is a host of one attempt: core.Host over channels. Its methods may be
// called from any goroutine.
type Gang struct {
	t         testing.TB
	framework core.Framework
	job       *core.Job
	options   Options
	dir       string
	events    chan core.Event
	begin     func() (context.Context, context.CancelFunc) // a worker's life within the attempt's

	mu       sync.Mutex
	queue    []core.Event
	changed  chan struct{} // closed and replaced when queue grows
	gangs    map[string][]*worker
	ended    map[string]bool
	arrays   map[string]*array
	saved    []byte
	commands int64
	answers  map[int64]chan core.Answer
	progress core.Progress
	wg       sync.WaitGroup
}

// worker is one rank.
type worker struct {
	gang   string
	rank   int
	cancel context.CancelFunc
	inbox  *mailbox
	lost   bool
}

// NewGang makes a gang for one attempt at a job of spec.
func NewGang(t testing.TB, f core.Framework, spec core.Spec, o Options) *Gang {
	t.Helper()
	if o.Size > 0 {
		spec.Gang.Size = o.Size
	}
	if spec.Gang.Size == 0 {
		spec.Gang.Size = 2
	}
	if o.Generation == 0 {
		o.Generation = 1
	}
	dir := t.TempDir()
	for _, name := range []string{"shared", "shm", "files", "scratch"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return &Gang{
		t: t, framework: f, options: o, dir: dir,
		job:     &core.Job{ID: "test", Spec: spec, State: core.Running, Epoch: 1},
		events:  make(chan core.Event),
		changed: make(chan struct{}),
		gangs:   map[string][]*worker{},
		ended:   map[string]bool{},
		arrays:  map[string]*array{},
		answers: map[int64]chan core.Answer{},
	}
}

// Run plans the job and coordinates it. Call it once.
func (g *Gang) Run(ctx context.Context) (core.Report, error) {
	if _, err := g.framework.Plan(ctx, g.job); err != nil {
		return core.Report{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer g.wg.Wait()
	defer cancel()
	g.begin = func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	g.wg.Go(func() { g.deliver(ctx) })
	return g.framework.Run(ctx, &core.Attempt{
		Job: g.job, Epoch: 1, Generation: g.options.Generation, Saved: g.options.Saved,
		Store: g.options.Store, Scratch: filepath.Join(g.dir, "scratch"), Log: g.logger("coordinator"),
	}, view{g})
}

// Cancel asks the coordinator to end, as a user would.
func (g *Gang) Cancel(reason string) { g.tell(core.CancelAsked{Reason: reason}) }

// Command asks something of the coordinator, as a user would, and returns where
// its answer comes.
func (g *Gang) Command(verb string, args []byte) <-chan core.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commands++
	answer := make(chan core.Answer, 1)
	g.answers[g.commands] = answer
	g.tellLocked(core.Command{Number: g.commands, Verb: verb, Args: args})
	return answer
}

// Kill ends a rank at once and tells the coordinator that it is lost.
func (g *Gang) Kill(gang string, rank int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ranks := g.gangs[gang]; rank >= 0 && rank < len(ranks) {
		g.loseLocked(ranks[rank], "killed by the test")
	}
}

// Replace puts a new, empty worker in a lost rank's place.
func (g *Gang) Replace(gang string, rank int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	ranks := g.gangs[gang]
	if rank < 0 || rank >= len(ranks) || !ranks[rank].lost {
		return fmt.Errorf("rank %d of gang %s is not lost", rank, gang)
	}
	ranks[rank] = g.startLocked(gang, rank, len(ranks))
	g.tellLocked(core.ExecutorReplaced{Gang: gang, Rank: rank})
	return nil
}

// Shared is the directory that all ranks share.
func (g *Gang) Shared() string { return filepath.Join(g.dir, "shared") }

// Shrink says that an elastic gang will lose ranks.
func (g *Gang) Shrink(gang string, until time.Time, ranks ...int) {
	g.tell(core.Shrink{Gang: gang, Ranks: ranks, Until: until, Reason: "asked by the test"})
}

// GiveWay asks a gang to make room, as a scheduler that needs its place would.
func (g *Gang) GiveWay(gang string, until time.Time) {
	g.tell(core.GiveWay{Gang: gang, Until: until, Reason: "asked by the test"})
}

// Ended is how the coordinator said that its gangs ended (core.Host.EndGang).
func (g *Gang) Ended() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.ended)
}

// Saved is what the coordinator saved last.
func (g *Gang) Saved() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.saved
}

// Progress is what the coordinator reported last.
func (g *Gang) Progress() core.Progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.progress
}

// view is core.Host: what the coordinator may do, apart from what the test may.
type view struct{ *Gang }

func (v view) Events() <-chan core.Event { return v.events }

func (v view) WantGang(ask core.GangAsk) error {
	g := v.Gang
	g.mu.Lock()
	defer g.mu.Unlock()
	if ask.Array != "" {
		return g.arrayLocked(ask)
	}
	if ranks, up := g.gangs[ask.Name]; up {
		e := core.GangUp{Gang: ask.Name, Size: len(ranks), Nodes: nodes(len(ranks)), Resumed: true}
		for _, w := range ranks {
			if w.lost {
				e.Lost = append(e.Lost, w.rank)
			}
		}
		g.tellLocked(e)
		return nil
	}
	if ask.Size < 1 {
		return core.Errorf(core.Invalid, "gang %s has size %d", ask.Name, ask.Size)
	}
	g.upLocked(ask.Name, ask.Size)
	return nil
}

// upLocked brings a gang up.
func (g *Gang) upLocked(name string, size int) {
	ranks := make([]*worker, size)
	for rank := range ranks {
		ranks[rank] = g.startLocked(name, rank, size)
	}
	g.gangs[name] = ranks
	g.tellLocked(core.GangUp{Gang: name, Size: size, Nodes: nodes(size)})
}

func nodes(n int) []core.NodeID {
	out := make([]core.NodeID, n)
	for i := range out {
		out[i] = "test"
	}
	return out
}

func (v view) ReleaseGang(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.releaseLocked(name)
	v.elementGoneLocked(name, true)
	return nil
}

func (v view) EndGang(name string, ok bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended[name] = ok
	v.releaseLocked(name)
	v.elementGoneLocked(name, false)
	return nil
}

func (g *Gang) releaseLocked(name string) {
	for _, w := range g.gangs[name] {
		w.lost = true
		w.cancel()
	}
	delete(g.gangs, name)
}

func (v view) Send(gang string, rank int, msg []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	ranks := v.gangs[gang]
	if rank < 0 || rank >= len(ranks) {
		return fmt.Errorf("gang %s has no rank %d", gang, rank)
	}
	if !ranks[rank].lost {
		ranks[rank].inbox.put(msg)
	}
	return nil
}

func (v view) Report(p core.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress = p
}

func (v view) Save(_ context.Context, state []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.saved = append([]byte{}, state...)
	return nil
}

func (v view) Answer(a core.Answer) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if answer := v.answers[a.Number]; answer != nil {
		answer <- a
		delete(v.answers, a.Number)
	}
	return nil
}

// startLocked runs the worker of a rank.
func (g *Gang) startLocked(gang string, rank, size int) *worker {
	ctx, cancel := g.begin()
	w := &worker{gang: gang, rank: rank, cancel: cancel, inbox: newMailbox()}
	inbox := make(chan []byte)
	g.wg.Go(func() { w.inbox.pump(ctx, inbox) })
	env := &core.Env{
		Rank: core.Rank{Job: g.job.ID, Epoch: 1, Gang: gang, Rank: rank}, Size: size, Spec: g.job.Spec,
		CPU: g.job.Spec.Gang.CPU, Memory: g.job.Spec.Gang.Memory,
		Shared: g.Shared(), Shm: filepath.Join(g.dir, "shm"), Scratch: g.t.TempDir(), Files: filepath.Join(g.dir, "files"),
		Store: g.options.Store, Log: g.logger(fmt.Sprintf("%s.%d", gang, rank)), Inbox: inbox,
		Send: func(_ context.Context, msg []byte) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			if !w.lost {
				g.tellLocked(core.Message{Gang: gang, Rank: rank, Data: msg})
			}
			return nil
		},
	}
	g.wg.Go(func() {
		err := g.work(ctx, env)
		if ctx.Err() == nil && err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.loseLocked(w, err.Error())
		}
	})
	return w
}

func (g *Gang) work(ctx context.Context, env *core.Env) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the worker panicked: %v", v)
		}
	}()
	return g.framework.Work(ctx, env)
}

// loseLocked ends w and says so, once: its rank may have another worker by now.
func (g *Gang) loseLocked(w *worker, reason string) {
	if w.lost {
		return
	}
	w.lost = true
	w.cancel()
	g.tellLocked(core.ExecutorLost{Gang: w.gang, Rank: w.rank, Reason: reason})
}

func (g *Gang) tell(e core.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tellLocked(e)
}

func (g *Gang) tellLocked(e core.Event) {
	g.queue = append(g.queue, e)
	close(g.changed)
	g.changed = make(chan struct{})
}

// deliver hands events to the coordinator until the attempt is over.
func (g *Gang) deliver(ctx context.Context) {
	defer close(g.events)
	for {
		g.mu.Lock()
		batch, changed := g.queue, g.changed
		g.queue = nil
		g.mu.Unlock()
		for _, e := range batch {
			if g.options.On != nil {
				g.options.On(g, e)
			}
			select {
			case g.events <- e:
			case <-ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gang) logger(who string) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{g.t}, nil)).With("who", who)
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(string(line))
	return len(line), nil
}

// mailbox is an unbounded queue of messages.
type mailbox struct {
	mu      sync.Mutex
	queue   [][]byte
	changed chan struct{}
}

func newMailbox() *mailbox { return &mailbox{changed: make(chan struct{}, 1)} }

func (m *mailbox) put(msg []byte) {
	m.mu.Lock()
	m.queue = append(m.queue, msg)
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

func (m *mailbox) pump(ctx context.Context, out chan<- []byte) {
	defer close(out)
	for {
		m.mu.Lock()
		batch := m.queue
		m.queue = nil
		m.mu.Unlock()
		for _, msg := range batch {
			select {
			case out <- msg:
			case <-ctx.Done():
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-m.changed:
		case <-ctx.Done():
			return
		}
	}
}
