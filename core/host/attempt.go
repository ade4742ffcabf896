package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/unixsock"
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

// prepareDoor opens the attempt's way into the store, for the coordinator too.
func (a *attempt) prepareDoor() (core.Report, error) {
	door, err := a.openDoor()
	if err != nil {
		return core.Report{}, err
	}
	if err := os.MkdirAll(a.dir(""), 0o700); err != nil {
		return core.Report{}, err
	}
	l, err := a.listen(storeSock)
	if err != nil {
		return core.Report{}, err
	}
	a.h.mu.Lock()
	over := a.over()
	if !over {
		a.doorSock = l
	}
	a.h.mu.Unlock()
	if over {
		l.Close()
		return core.Report{}, context.Cause(a.ctx)
	}
	door.Serve(l)
	return core.Report{}, nil
}

// openDoor opens the door once; gangs and coordinator share it. None is opened
// once the attempt is over, for nobody would fence it (law H4).
func (a *attempt) openDoor() (Door, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	a.h.mu.Lock()
	door, over := a.door, a.over()
	a.h.mu.Unlock()
	switch {
	case over:
		return nil, context.Cause(a.ctx)
	case door != nil:
		return door, nil
	}
	door, err := a.h.cfg.Store.Door(a.ctx, a.prefix(), a.grants())
	if err != nil {
		return nil, err
	}
	a.h.mu.Lock()
	over = a.over()
	if !over {
		a.door = door
	}
	a.h.mu.Unlock()
	if over {
		door.Fence()
		door.Close()
		return nil, context.Cause(a.ctx)
	}
	return door, nil
}

// listen opens a socket of the coordinator's; a former life of the host's may
// have left one.
func (a *attempt) listen(name string) (net.Listener, error) {
	path := a.dir(name)
	os.Remove(path)
	return unixsock.Listen(path)
}

// grants are what the plan's gangs may use of the store.
func (a *attempt) grants() []core.StoreGrant {
	var grants []core.StoreGrant
	for _, g := range a.job.rec.Plan.Gangs {
		grants = append(grants, g.Store...)
	}
	return grants
}

func (a *attempt) prefix() string {
	return fmt.Sprintf("capstan/jobs/%s/%d/", a.job.rec.Job.ID, a.epoch)
}

func (a *attempt) dir(name string) string {
	return filepath.Join(a.h.cfg.StateDir, "jobs", string(a.job.rec.Job.ID), fmt.Sprint(a.epoch), name)
}

// coordinatorAccess is how a coordinator uses a door that serves a socket.
func (a *attempt) coordinatorAccess(door Door, sock string) core.StoreAccess {
	acc := door.Access()
	acc.Endpoint = "unix://" + a.dir(sock)
	acc.Prefix = a.prefix()
	acc.Root = a.h.cfg.Store.Admin().Root
	return acc
}

// finish makes the attempt's outcome final, or starts the next attempt. cut says
// that the coordinator did not answer, but was ended (law H7).
func (a *attempt) finish(report core.Report, err error, cut bool) {
	h, j := a.h, a.job
	if h.ctx.Err() != nil {
		return // the next host goes on
	}
	h.mu.Lock()
	a.cancel(errOver)
	a.side.close()
	why := j.cancel
	if why != nil && err != nil {
		err = why
	}
	kind := core.KindOf(err)
	again := err != nil && why == nil && (kind == core.Failed || kind == core.Internal) &&
		int(a.epoch) <= j.rec.Job.Spec.Metadata.Retries
	door := a.door
	h.mu.Unlock()
	if door != nil {
		door.Fence()
	}
	if err != nil && cut {
		switch found, answer := a.inquire(err); {
		case h.ctx.Err() != nil:
			return
		case answer == nil:
			report, err, again = found, nil, false
		case errors.Is(answer, errNoAnswer) && !again:
			err = inDoubt(err, answer)
		}
	}
	if why != nil && err == nil {
		report.Notes = append(report.Notes, "the result had been committed when the job was told to end: "+why.What)
	}
	if again {
		a.retry(err)
		return
	}
	a.conclude(report, err)
}

// conclude journals the end of the job and then removes what it left.
func (a *attempt) conclude(report core.Report, err error) {
	h, j := a.h, a.job
	outcome, ended, state := core.OutcomeOf(err, report), now(), finalState(core.KindOf(err))
	text := "succeeded"
	if err != nil {
		text = string(state) + ": " + err.Error()
	}
	end := func(r *record) {
		r.Job.Outcome, r.Job.Ended, r.Job.State = outcome, ended, state
	}
	// A full disk must not make the outcome disappear.
	if h.insist(j, end, j.event("ended", text)) {
		a.sweep()
	}
}

// sweep cleans up after a job that is final, and says so in the journal unless
// something is left for the next start.
func (a *attempt) sweep() {
	h, j := a.h, a.job
	clean := a.cleanUp()
	j.log.close()
	if clean {
		swept := func(r *record) { r.Swept = true }
		h.change(j, swept, j.event("swept", "nothing of the job is left but its result"))
	}
	h.mu.Lock()
	j.attempt = nil
	j.notify()
	h.used = now()
	h.crowded()
	h.mu.Unlock()
}

func finalState(k core.ErrKind) core.State {
	switch k {
	case "":
		return core.Succeeded
	case core.Cancelled:
		return core.Canceled
	case core.TimedOut:
		return core.Expired
	}
	return core.FailedJob
}

// retry clears this attempt away and queues the next.
func (a *attempt) retry(err error) {
	h, j := a.h, a.job
	a.cleanUp()
	text := fmt.Sprintf("attempt %d failed: %v; attempt %d begins", a.epoch, err, a.epoch+1)
	next := func(r *record) {
		r.Job.Epoch, r.Job.State = a.epoch+1, core.Queued
		r.Generation, r.Crashes, r.Gangs = 0, 0, nil
	}
	if !h.insist(j, next, j.event("retried", text)) {
		return
	}
	h.mu.Lock()
	h.newAttempt(j).submitGangs()
	h.mu.Unlock()
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
	a.h.step(gang.Submit{Now: now().UnixMilli(), Request: g.request()})
}

// cleanUp removes everything the attempt has outside the journal, and reports
// whether nothing is left.
func (a *attempt) cleanUp() bool {
	h := a.h
	h.mu.Lock()
	gangs := make([]*gangRun, 0, len(a.gangs))
	for _, g := range a.gangs {
		gangs = append(gangs, g)
	}
	sock, door := a.doorSock, a.door
	h.mu.Unlock()
	for _, g := range gangs {
		g.tearDown()
	}
	a.clearing.Wait()
	if sock != nil {
		sock.Close()
	}
	if door != nil {
		door.Close()
	}
	h.mu.Lock()
	for _, g := range gangs {
		h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id})
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), 30*time.Second)
	defer cancel()
	clean := true
	if err := h.cfg.Store.Sweep(ctx, a.prefix()); err != nil {
		clean = false
		h.log.Warn("sweep", "prefix", a.prefix(), "err", err)
	}
	if err := h.journal.DropSaved(ctx, a.job.rec.Job.ID, a.epoch); err != nil {
		h.log.Warn("drop saved state", "job", a.job.rec.Job.ID, "err", err)
	}
	os.RemoveAll(a.dir(""))
	return clean
}
