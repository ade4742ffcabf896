package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// maxCrashes is how often an attempt's coordinator may crash.
const maxCrashes = 3

// attempt is one try at a job while it runs. It is the coordinator's core.Host.
// Guarded by Host.mu but for what says otherwise.
type attempt struct {
	h      *Host
	job    *job
	epoch  core.Epoch
	ctx    context.Context // ends when the attempt is fenced
	cancel context.CancelCauseFunc

	opening  sync.Mutex // held while the door is opened; taken before Host.mu
	door     Door
	doorSock net.Listener
	clearing sync.WaitGroup // revoked leases that are being cleared away
	gangs    map[string]*gangRun
	side     *coordinatorSide // of the current generation of the coordinator
	running  bool             // the coordinator's goroutine exists
	resumed  bool             // the attempt was running before this host
	again    bool             // its gangs waited before this host
	losses   int              // executors lost in this attempt
}

// newAttempt prepares an attempt without starting anything. h.mu is held.
func (h *Host) newAttempt(j *job) *attempt {
	a := &attempt{h: h, job: j, epoch: j.rec.Job.Epoch, gangs: map[string]*gangRun{}}
	a.side = newSide(a)
	a.ctx, a.cancel = context.WithCancelCause(h.ctx)
	j.attempt = a
	return a
}

// end ends the attempt with err as its outcome, wherever it is. h.mu is held.
func (a *attempt) end(err error) {
	a.cancel(err)
	if !a.running {
		a.running = true
		a.h.goRun(func(context.Context) { a.finish(core.Report{}, err, true) })
	}
}

// over reports whether the attempt has ended or is about to: nothing of it may
// come up any more. h.mu is held.
func (a *attempt) over() bool { return a.ctx.Err() != nil }

// errOver ends what an attempt still does when its outcome is known.
var errOver = errors.New("the attempt is over")

// begin starts the coordinator. h.mu is held.
func (a *attempt) begin() {
	if a.running || a.over() {
		return
	}
	a.running = true
	a.h.goRun(func(context.Context) { a.run() })
}

// run keeps a coordinator running until it answers.
func (a *attempt) run() {
	report, err := a.prepareDoor()
	if err == nil {
		report, err = a.coordinate()
	}
	if errors.Is(context.Cause(a.ctx), errHostStops) || a.h.ctx.Err() != nil {
		return // the next host goes on
	}
	cut := err != nil && a.ctx.Err() != nil
	if cause := context.Cause(a.ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	a.finish(report, err, cut)
}

func (a *attempt) coordinate() (core.Report, error) {
	for first := true; ; first = false {
		a.h.mu.Lock()
		rec := &a.job.rec
		// The first generation was journalled with the grant, before an
		// executor could hear of it (law C4).
		fresh := first && !a.resumed && rec.Generation == 1
		if !fresh {
			rec.Generation++
		}
		in := a.brief(a.coordinatorAccess(a.door, storeSock))
		a.side.close()
		side := newSide(a)
		a.side = side
		for _, g := range a.gangs {
			g.wanted = false // this coordinator has not asked yet
			g.setGeneration(rec.Generation)
		}
		if why := a.job.cancel; why != nil {
			a.askToEnd(why)
		}
		a.retell()
		a.h.mu.Unlock()
		if err := os.MkdirAll(in.Scratch, 0o700); err != nil {
			return core.Report{}, err
		}
		if !fresh {
			saved, err := a.h.journal.Saved(a.ctx, a.job.rec.Job.ID, a.epoch)
			if err != nil && core.KindOf(err) != core.NotFound {
				return core.Report{}, err
			}
			in.Saved = saved
			if err := a.h.persistPatiently(a.ctx, a.job); err != nil {
				return core.Report{}, err
			}
		}
		began := time.Now()
		report, err := a.h.cfg.Frameworks.Run(a.ctx, rec.Job.Spec.Kind, in, side)
		report.Seconds = max(report.Seconds, time.Since(began).Seconds())
		if !errors.Is(err, core.ErrPluginCrash) || a.ctx.Err() != nil {
			return report, err
		}
		if err := a.crashed(err); err != nil {
			return report, err
		}
	}
}

// brief is what a coordinator is told at its start, but for what was saved.
// h.mu is held.
func (a *attempt) brief(store core.StoreAccess) *core.Attempt {
	rec := &a.job.rec
	job := rec.Job
	return &core.Attempt{
		Job: &job, Epoch: a.epoch, Generation: rec.Generation, Store: store, Scratch: a.dir("scratch"),
		Log: slog.New(&logHandler{log: a.job.log, epoch: a.epoch}),
	}
}

// crashed counts a crash of the coordinator and answers the error that ends
// the attempt after too many.
func (a *attempt) crashed(err error) error {
	a.h.mu.Lock()
	a.job.rec.Crashes++
	n := a.job.rec.Crashes
	a.h.mu.Unlock()
	detail := core.AsError(err).Detail
	text := fmt.Sprintf("the %s plugin crashed (%d of %d): %v", a.job.rec.Job.Spec.Kind, n, maxCrashes, err)
	a.h.log.Warn("plugin crashed", "job", a.job.rec.Job.ID, "err", err)
	if perr := a.h.persistPatiently(a.ctx, a.job, a.job.event("plugin-crashed", text)); perr != nil {
		return perr
	}
	if n < maxCrashes {
		return nil
	}
	return &core.Error{Kind: core.Failed, What: fmt.Sprintf("the %s plugin crashed %d times on this job, which is held: %v", a.job.rec.Job.Spec.Kind, n, err),
		Remedy: "report the stack below to the framework's author; `capstan retry " + string(a.job.rec.Job.ID) + "` tries again", Detail: detail}
}

// submitGangs asks the scheduler for the plan's gangs, unless the job was
// cancelled meanwhile. h.mu is held.
func (a *attempt) submitGangs() {
	if why := a.job.cancel; why != nil {
		a.end(why)
		return
	}
	for _, ask := range a.job.rec.Plan.Gangs {
		a.addGang(ask)
	}
}

// addGang queues one gang. h.mu is held.
func (a *attempt) addGang(ask core.GangAsk) {
	g := newGangRun(a, ask)
	a.job.rec.keepVolumes(ask)
	if g.array != nil {
		g.queueArray()
		return
	}
	a.h.step(gang.Submit{Now: now().UnixMilli(), Request: g.request(), Again: a.again})
}
