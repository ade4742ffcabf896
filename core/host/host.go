package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/launch"
)

// Host runs jobs. Open makes one; Close lets it go without ending its executors.
type Host struct {
	cfg     Config
	log     *slog.Logger
	journal *journal.Journal
	server  *executor.Server
	ca      *executor.CA
	stop    context.CancelFunc
	ctx     context.Context // of everything that runs until Close
	wg      sync.WaitGroup

	mu      sync.Mutex
	sched   *gang.Scheduler
	jobs    map[core.JobID]*job
	order   []core.JobID // by submission
	members map[string]*member
	shipped *artifacts
	nodes   []core.Node
	used    time.Time     // last job or call: for occasional hosts
	calls   int           // API calls under way, but for streams that follow
	closing chan struct{} // closed when somebody asked for shutdown
	pool    *warmPool     // nil: none
	due     chan struct{} // of one: what the scheduler waits for has changed
	crowd   chan struct{} // of one: many jobs have ended
	lease   uint64        // the last one of the jobs that were forgotten
	trouble string        // what ails the store; "" while it is well
}

// job is a submitted job in memory. Guarded by Host.mu, but for log.
type job struct {
	rec     record
	log     *jobLog
	changed chan struct{} // closed and replaced on every change
	attempt *attempt      // nil unless one runs
	cancel  *core.Error   // why it was cancelled or expired; nil if it was not
	held    string        // why it does not go on, as a line for people; "" if it does

	// writing keeps the order of the job's commits: a record taken earlier must
	// not reach the journal later. It is taken before Host.mu.
	writing sync.Mutex
	// accepted is closed once the journal has the job or refused it.
	accepted chan struct{}
	refused  error // why the journal did not take it; read after accepted
}

// Open brings a host up on cfg.StateDir: it reads the journal, adopts what
// still runs, and stops what nobody knows.
func Open(ctx context.Context, cfg Config) (*Host, error) {
	cfg.fill()
	for _, d := range []string{"", "gangs", "jobs", "artifacts", "tmp"} {
		if err := os.MkdirAll(filepath.Join(cfg.StateDir, d), 0o700); err != nil {
			return nil, core.Errorf(core.Denied, "%v", err).At(cfg.StateDir).Do("choose another state directory with --state")
		}
	}
	// Containers of another user pass through here to their gang's directory.
	for _, d := range []string{"", "gangs", "artifacts"} {
		os.Chmod(filepath.Join(cfg.StateDir, d), 0o711)
	}
	claim := cfg.Claim
	if claim == nil {
		var err error
		if claim, err = journal.Acquire(journalPath(cfg.StateDir)); err != nil {
			return nil, err
		}
	}
	j, err := claim.Open()
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, log: cfg.Log, journal: j,
		jobs: map[core.JobID]*job{}, members: map[string]*member{},
		used: now(), closing: make(chan struct{}), due: make(chan struct{}, 1), crowd: make(chan struct{}, 1),
		shipped: newArtifacts(filepath.Join(cfg.StateDir, "artifacts")),
	}
	h.ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := h.open(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *Host) open(ctx context.Context) error {
	var err error
	if h.ca, err = h.loadCA(ctx); err != nil {
		return err
	}
	h.server, err = executor.NewServer(executor.Config{CA: h.ca, Heartbeat: h.cfg.Heartbeat, Log: h.log}, (*handler)(h))
	if err != nil {
		return err
	}
	if h.nodes, err = h.cfg.Launcher.Nodes(ctx); err != nil {
		return err
	}
	if h.cfg.Warm > 0 {
		if h.pool, err = newWarmPool(h); err != nil {
			return err
		}
	}
	if err := h.recover(ctx); err != nil {
		return err
	}
	h.goRun(h.watchExits)
	h.goRun(h.tick)
	h.goRun(h.retain)
	h.goRun(h.watchTrouble)
	return nil
}

// loadCA reads the host's certificate authority from the journal, or makes it.
func (h *Host) loadCA(ctx context.Context) (*executor.CA, error) {
	pem, err := h.journal.Meta(ctx, "ca")
	if err == nil {
		return executor.LoadCA(pem)
	}
	if core.KindOf(err) != core.NotFound {
		return nil, err
	}
	ca, err := executor.NewCA()
	if err != nil {
		return nil, err
	}
	return ca, h.journal.SetMeta(ctx, "ca", ca.PEM())
}

func (h *Host) goRun(f func(context.Context)) {
	h.wg.Add(1)
	go func() { defer h.wg.Done(); f(h.ctx) }()
}

// Close lets go of everything. Executors stay; a host opened on the same state
// directory adopts them.
func (h *Host) Close() error {
	h.stop()
	if h.server != nil {
		h.server.Close() // with it every gang's socket, now or later
	}
	h.mu.Lock()
	var listeners []net.Listener
	var doors []Door
	for _, j := range h.jobs {
		if j.attempt != nil {
			j.attempt.cancel(errHostStops)
			j.attempt.side.close()
			if j.attempt.door != nil {
				doors = append(doors, j.attempt.door)
			}
			if j.attempt.doorSock != nil {
				listeners = append(listeners, j.attempt.doorSock)
			}
			for _, g := range j.attempt.gangs {
				listeners = append(listeners, g.listeners...)
			}
		}
	}
	h.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, d := range doors {
		d.Close()
	}
	if h.pool != nil {
		h.pool.close()
	}
	h.wg.Wait()
	h.mu.Lock()
	for _, j := range h.jobs {
		if j.log != nil {
			j.log.close()
		}
	}
	h.mu.Unlock()
	return h.journal.Close()
}

// errHostStops ends what waits when the host itself goes away: no job's fault.
var errHostStops = errors.New("the host stops")

// watchExits turns the launcher's news into losses.
func (h *Host) watchExits(ctx context.Context) {
	exits := h.cfg.Launcher.Exits()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-exits:
			if !ok {
				return
			}
			h.executorExited(e)
		}
	}
}

func (h *Host) executorExited(e launch.Exit) {
	h.mu.Lock()
	m := h.members[e.ID]
	if m == nil {
		h.pool.lost(e.ID) // under the lock, or it could be taken meanwhile
	}
	h.mu.Unlock()
	if m == nil {
		return
	}
	reason := e.Reason
	if reason == "" {
		reason = "ended"
	}
	// An engine that is slow to stop one must not hold back news of the others.
	h.goRun(func(context.Context) { h.lose(m, reason, true) })
}

// step runs one event through the scheduler and carries out its actions.
// h.mu is held.
func (h *Host) step(e gang.Event) gang.Result {
	due := h.sched.Next()
	res := h.sched.Step(e)
	if h.sched.Next() != due {
		select {
		case h.due <- struct{}{}:
		default: // it will look anyway
		}
	}
	for _, a := range res.Actions {
		h.act(a)
	}
	return res
}

func (h *Host) gangRun(id gang.ID) *gangRun {
	for _, j := range h.jobs {
		if j.attempt == nil {
			continue
		}
		for _, g := range j.attempt.gangs {
			if g.id == id {
				return g
			}
		}
	}
	return nil
}

// act carries out one decision. h.mu is held; whatever blocks goes its own way.
func (h *Host) act(a gang.Action) {
	switch a := a.(type) {
	case gang.Grant:
		if g := h.gangRun(a.Gang); g != nil {
			g.granted(a)
		}
	case gang.Revoke:
		if g := h.gangRun(a.Gang); g != nil {
			g.revoked(a)
		}
	case gang.Refuse:
		if g := h.gangRun(a.Gang); g != nil {
			err := a.Err()
			if g.failure != nil {
				err = g.failure
			}
			g.attempt.end(err)
		}
	case gang.Expire:
		if g := h.gangRun(a.Gang); g != nil {
			w := g.attempt.job.rec.Job.Spec.Metadata.Walltime
			h.cancelLocked(g.attempt.job, core.Errorf(core.TimedOut, "the job's walltime of %s is over", w).
				Do("raise metadata.walltime, or give the gang more cores"))
		}
	case gang.Replace:
		if g := h.gangRun(a.Gang); g != nil {
			g.replace(a)
		}
	case gang.Lost:
		if g := h.gangRun(a.Gang); g != nil {
			for _, r := range a.Ranks {
				m := g.members[r]
				h.goRun(func(context.Context) { h.lose(m, "node "+string(a.Node)+" went down", false) })
			}
		}
	}
}

// notify wakes whoever watches j. h.mu is held.
func (j *job) notify() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// event is a journal record of j in the making.
func (j *job) event(kind, text string) journal.Record {
	return journal.Record{Time: now(), Job: j.rec.Job.ID, Kind: kind, Text: text}
}

// persist writes j's record and events, and tells the watchers. It must not be
// called with h.mu held. An error means the state on disk is older than ours.
func (h *Host) persist(j *job, events ...journal.Record) error {
	return h.change(j, nil, events...)
}

// change makes a change of j's record durable before anybody sees it (law H1).
// A nil change writes the record as it is.
func (h *Host) change(j *job, change func(*record), events ...journal.Record) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	h.mu.Lock()
	rec := j.rec
	if change != nil {
		change(&rec)
	}
	tx := journal.Tx{
		Jobs:    []core.Job{rec.Job},
		Records: events,
		Saves:   []journal.Save{{Job: rec.Job.ID, Epoch: 0, State: rec.encode()}},
	}
	h.mu.Unlock()
	err := h.journal.Commit(context.WithoutCancel(h.ctx), tx)
	if err != nil {
		h.log.Error("journal", "job", rec.Job.ID, "err", err)
	}
	h.mu.Lock()
	if err == nil && change != nil {
		change(&j.rec)
	}
	j.notify()
	h.mu.Unlock()
	return err
}

// persistPatiently is persist for a job that runs: a full disk holds it up
// until there is room again or ctx ends.
func (h *Host) persistPatiently(ctx context.Context, j *job, events ...journal.Record) error {
	for {
		err := h.persist(j, events...)
		h.hold(j, err)
		if !errors.Is(err, journal.ErrFull) || !pause(ctx, time.Second) {
			return err
		}
	}
}

// insist makes a change durable that must not get lost: it tries until it is
// there, or the host ends.
func (h *Host) insist(j *job, change func(*record), events ...journal.Record) bool {
	for {
		err := h.change(j, change, events...)
		h.hold(j, err)
		if err == nil {
			return true
		}
		if !pause(h.ctx, time.Second) {
			return false
		}
	}
}

// hold lets everybody who looks at j see what its journal has against it; nil
// ends that.
func (h *Host) hold(j *job, err error) {
	text := ""
	if err != nil {
		text = "held up until it can be written down: " + err.Error()
		if remedy := core.AsError(err).Remedy; remedy != "" {
			text += "; " + remedy
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if j.held != text {
		j.held = text
		j.notify()
	}
}

// pause waits for d; it reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
