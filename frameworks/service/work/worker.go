package work

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// Work runs the copies' commands that the coordinator orders, until ctx ends or
// the inbox is closed.
func Work(ctx context.Context, env *core.Env) error {
	ctx, cancel := context.WithCancel(ctx)
	w := &worker{env: env, findings: make(chan finding), ended: make(chan end)}
	defer func() {
		cancel()
		w.quiet()
	}()
	w.place = placeOf(env)
	for {
		select {
		case <-ctx.Done():
			return nil
		case b, ok := <-env.Inbox:
			if !ok {
				return nil
			}
			var o wire.Order
			if err := wire.Decode(b, &o); err != nil {
				env.Log.Warn("an order cannot be read", "err", err)
				continue
			}
			w.obey(ctx, o)
			if err := w.tell(ctx); err != nil {
				return nil // the executor is being ended
			}
			continue
		case e := <-w.ended:
			w.over(ctx, e)
		case f := <-w.findings:
			w.found(f)
		case <-w.alarm:
			w.urge()
		}
		if w.status.differs(w.told) {
			if err := w.tell(ctx); err != nil {
				return nil
			}
		}
	}
}

// worker is the state of one executor's copy. Only Work's goroutine has it.
type worker struct {
	env      *core.Env
	place    place
	status   status
	told     status
	run      *wire.Run // the run there is, or the last one
	next     *wire.Run // begins when it is gone
	command  *running  // nil: none runs
	stage    int       // of stopping: 0 none, 1 draining, 2 signalled, 3 killed
	alarm    <-chan time.Time
	findings chan finding
	ended    chan end
	stop     context.CancelFunc // of the probes
	checks   checks
	ports    []int
	names    []wire.Name // of the ready copies
}

// status is a wire.Status that can be compared.
type status struct{ wire.Status }

func (s status) differs(o status) bool {
	return s.Number != o.Number || s.Phase != o.Phase || s.Ready != o.Ready || s.Sick != o.Sick || s.Why != o.Why
}

func (w *worker) tell(ctx context.Context) error {
	w.told = w.status
	return w.env.Send(ctx, wire.Encode(w.status.Status))
}

// obey does what an order asks, as far as it has not been done.
func (w *worker) obey(ctx context.Context, o wire.Order) {
	if o.Known {
		w.names = o.Names
		w.writeNames()
	}
	if o.Run != nil && o.Run.Number > w.status.Number && (w.next == nil || o.Run.Number > w.next.Number) {
		if w.command != nil {
			w.next = o.Run
			w.halt(false)
		} else {
			w.begin(ctx, o.Run)
		}
	}
	if o.Halt != nil && o.Halt.Number >= w.status.Number {
		w.next = nil
		w.halt(o.Halt.Drain)
	}
}

// writeNames makes the ready copies known to the command.
func (w *worker) writeNames() {
	service, self := "", ""
	if w.run != nil {
		service, self = w.run.Service, w.run.Copy
	}
	if err := errors.Join(w.place.writeNames(w.names), w.place.writeHosts(service, self, w.names)); err != nil {
		w.env.Log.Warn("the names of the copies cannot be written", "err", err)
	}
}

// begin starts a run.
func (w *worker) begin(ctx context.Context, r *wire.Run) {
	w.run, w.next, w.stage, w.alarm = r, nil, 0, nil
	w.writeNames()
	w.status = status{wire.Status{Number: r.Number, Phase: wire.Running, Why: "just started", Address: w.place.reached}}
	fail := func(err error) {
		w.status.Phase, w.status.Why = wire.Ended, err.Error()
		w.env.Log.Warn(r.Copy + ": " + err.Error())
	}
	ports, err := givePorts(r.Body.Ports)
	if err != nil {
		fail(err)
		return
	}
	w.ports, w.status.Ports = ports, ports
	c, err := start(w.place, r, ports, w.env.Log)
	if err != nil {
		fail(err)
		return
	}
	w.command = c
	go func() {
		e := end{c, c.wait()}
		select {
		case w.ended <- e:
		case <-ctx.Done():
		}
	}()
	probing, stop := context.WithCancel(ctx)
	w.stop = stop
	w.checks = newChecks(r.Body)
	w.checks.begin(probing, w.place, r, ports, w.findings)
	w.judge()
}

// end is the end of a command.
type end struct {
	of  *running
	how string
}

// over takes the end of the command, and begins the run that waited for it.
func (w *worker) over(ctx context.Context, e end) {
	if e.of != w.command {
		return
	}
	w.stop()
	w.command, w.alarm = nil, nil
	w.status.Phase, w.status.Ready, w.status.Sick, w.status.Why = wire.Ended, false, "", e.how
	w.env.Log.Info(w.run.Copy + ": " + e.how)
	if w.next != nil {
		w.begin(ctx, w.next)
	}
}

// found takes the finding of a probe.
func (w *worker) found(f finding) {
	if w.command == nil || f.number != w.status.Number {
		return
	}
	w.checks.take(f)
	w.judge()
}

// judge derives from the probes whether the copy is ready and healthy.
func (w *worker) judge() {
	if w.status.Phase != wire.Running {
		return
	}
	w.status.Ready, w.status.Why = w.checks.ready()
	w.status.Sick = w.checks.sick()
}

// halt begins the end of the command: not ready, drain, signal, kill. A halt
// without drain overtakes a drain.
func (w *worker) halt(drain bool) {
	if w.command == nil {
		if w.status.Phase == wire.Idle || w.status.Phase == wire.Running {
			w.status.Phase = wire.Ended
		}
		return
	}
	if w.stage > 1 || w.stage == 1 && drain {
		return
	}
	w.status.Phase, w.status.Ready, w.status.Why = wire.Stopping, false, "told to stop"
	w.stage = 1
	wait := time.Duration(*w.run.Body.Stop.Drain)
	if !drain || wait == 0 {
		w.urge()
		return
	}
	w.alarm = time.After(wait)
}

// urge goes on from drained to signalled, and from there to killed.
func (w *worker) urge() {
	w.alarm = nil
	if w.command == nil {
		return
	}
	w.stage++
	if w.stage == 2 {
		w.command.signal(w.run.Body.Stop.Signal)
		w.alarm = time.After(time.Duration(w.run.Body.Stop.Grace))
		return
	}
	w.command.kill()
}

// quiet ends what still runs when the executor ends.
func (w *worker) quiet() {
	if w.stop != nil {
		w.stop()
	}
	if w.command != nil {
		w.command.kill()
	}
	w.checks.wait()
}
