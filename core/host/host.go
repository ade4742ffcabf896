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
	"github.com/capstan-run/capstan/core/predict"
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
	order   []core.JobID         // by submission
	gangs   map[gang.ID]*gangRun // of the running attempts
	members map[string]*member
	shipped *artifacts
	nodes   []core.Node
	used    time.Time       // last job or call: for occasional hosts
	calls   int             // API calls under way, but for streams that follow
	closing chan struct{}   // closed when somebody asked for shutdown
	pool    *warmPool       // nil: none
	due     chan struct{}   // of one: what the scheduler waits for has changed
	crowd   chan struct{}   // of one: many jobs have ended
	lease   uint64          // the last one of the jobs that were forgotten
	trouble string          // what ails the store; "" while it is well
	clerk   *clerk          // keeps the schedules
	history predict.History // how long the jobs of users took
	events  *eventLog       // what the scheduler was told; nil once it ended
	policy  policy          // of the scheduler, as people set it
	// deciding keeps changes of the policy in order. It is taken before mu.
	deciding sync.Mutex
	volumes  volumes // who holds which
}

// job is a submitted job in memory. Guarded by Host.mu, but for log.
type job struct {
	rec     record
	log     *jobLog
	changed chan struct{} // closed and replaced on every change
	attempt *attempt      // nil unless one runs
	cancel  *core.Error   // why it was cancelled or expired; nil if it was not
	// arrivals is where its gangs stood in line when they had to give way.
	arrivals map[gang.ID]uint64
	held     string // why it does not go on, as a line for people; "" if it does

	// writing keeps the order of the job's commits: a record taken earlier must
	// not reach the journal later. It is taken before Host.mu.
	writing sync.Mutex
	// accepted is closed once the journal has the job or refused it.
	accepted chan struct{}
	refused  error // why the journal did not take it; read after accepted

	// commanding keeps commands in the order of their numbers. It is taken
	// before writing.
	commanding sync.Mutex
	asking     map[int64]chan<- core.Answer // who waits for a command's answer
}

func newJob() *job {
	return &job{changed: make(chan struct{}), accepted: make(chan struct{}), asking: map[int64]chan<- core.Answer{}}
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
		jobs: map[core.JobID]*job{}, gangs: map[gang.ID]*gangRun{}, members: map[string]*member{},
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
	if h.clerk, err = newClerk(ctx, h); err != nil {
		return err
	}
	if err := h.recover(ctx); err != nil {
		return err
	}
	h.goRun(h.watchExits)
	h.goRun(h.tick)
	h.goRun(h.flushEvents)
	h.goRun(h.retain)
	h.goRun(h.watchTrouble)
	if !h.cfg.Occasional {
		h.clerk.resume()
		h.goRun(h.clerk.tick)
	}
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
	h.closeEventLog()
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
