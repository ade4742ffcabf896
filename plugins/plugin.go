package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// crashLimit is the number of crashes in a row that holds a plugin (law P3).
const crashLimit = 3

// plugin is one binary and its processes.
type plugin struct {
	name   string
	binary *binary
	sup    *Supervisor

	// starting is held while the shared process is started, so that callers
	// who come meanwhile wait for one process and start no second.
	starting sync.Mutex

	mu      sync.Mutex
	kinds   []core.Description
	state   string // ready, held, refused, broken
	pin     string // built-in, pinned, unpinned, mismatch
	message string
	crashes []crash // in a row, at most crashLimit
	shared  *process
	spare   *process
	sparing chan struct{} // closed when the spare being started is there; nil when none is
	closed  bool
}

// The states of a plugin.
const (
	StateReady   = "ready"
	StateHeld    = "held"    // crashed three times in a row
	StateRefused = "refused" // its binary is not the pinned one, or is unsafe
	StateBroken  = "broken"  // did not say what it serves
)

// usable answers with why the plugin takes no call. held matters for the
// shared process alone: an attempt under way may still be coordinated.
func (p *plugin) usable(shared bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errClosed
	case p.state == StateRefused:
		e := core.Errorf(core.Denied, "plugin %s is refused: %s", p.serving(), p.message)
		if p.pin == PinMismatch {
			return e.Do("if you replaced it, run: capstan plugin verify --accept " + p.name + "; else put the old binary back")
		}
		return e.Do("mend what the message names, then: capstan plugin verify")
	case p.state == StateHeld && shared:
		e := core.Errorf(core.Denied, "plugin %s is held: it crashed %d times in a row", p.serving(), len(p.crashes)).
			Do("mend or replace it, then let it go on: capstan plugin verify")
		e.Detail = stacks(p.crashes)
		return e
	}
	return nil
}

// serving is the plugin and its kinds, the subject of "is held". p.mu is held.
func (p *plugin) serving() string {
	kinds := p.kinds
	if len(kinds) == 0 {
		v, _ := p.sup.pins.get(p.name)
		kinds = v.Kinds
	}
	switch len(kinds) {
	case 0:
		return p.name
	case 1:
		return p.name + " serves kind " + kinds[0].Kind + " but"
	}
	names := make([]string, len(kinds))
	for i, d := range kinds {
		names[i] = d.Kind
	}
	return p.name + " serves the kinds " + strings.Join(names, ", ") + " but"
}

// call makes a call on the shared process, starting it where none runs.
func (p *plugin) call(ctx context.Context, f func(context.Context, pluginpb.FrameworkClient) error) error {
	if err := p.usable(true); err != nil {
		return err
	}
	proc, err := p.running()
	if err != nil {
		if errors.Is(err, core.ErrPluginCrash) {
			return p.crashed(nil, core.AsError(err))
		}
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	p.sup.wg.Go(func() { proc.watch(watching, p.sup.config.PingEvery, p.sup.config.HangAfter) })
	if err := f(ctx, proc.rpc); err != nil {
		err = proc.failure(ctx, err)
		if errors.Is(err, core.ErrPluginCrash) {
			return p.crashed(proc, core.AsError(err))
		}
		return err
	}
	p.mu.Lock()
	p.crashes = nil
	p.mu.Unlock()
	return nil
}

// running returns the shared process, started if need be.
func (p *plugin) running() (*process, error) {
	p.starting.Lock()
	defer p.starting.Unlock()
	p.mu.Lock()
	old := p.shared
	p.mu.Unlock()
	if old != nil && old.alive() && !old.hung.Load() {
		return old, nil
	}
	// close waits for starting, so what is started here is ended there.
	if err := p.usable(true); err != nil {
		return nil, err
	}
	if old != nil {
		old.kill()
	}
	proc, err := p.sup.pad.start(p.name, p.binary)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = proc
	return proc, nil
}

// crashed counts a crash of the shared process, once for each process, and
// holds the plugin at the third.
func (p *plugin) crashed(proc *process, e *core.Error) error {
	if proc != nil && proc.counted.Swap(true) {
		return e
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashes = append(p.crashes, crash{at: time.Now(), how: e.Err.Error(), stderr: e.Detail})
	if len(p.crashes) < crashLimit {
		e.Remedy = fmt.Sprintf("it is started again for the next call; after %d crashes in a row it is held", crashLimit)
		return e
	}
	p.state = StateHeld
	p.message = e.Err.Error()
	e.Remedy = "it is held now; mend or replace it, then: capstan plugin verify"
	p.sup.config.Log.Error("plugin held", "plugin", p.name, "crashes", len(p.crashes), "error", e.Error())
	return e
}

// describe asks for what the plugin serves.
func (p *plugin) describe(ctx context.Context) error {
	var r *pluginpb.DescribeResponse
	err := p.call(ctx, func(ctx context.Context, c pluginpb.FrameworkClient) (err error) {
		r, err = c.Describe(ctx, &pluginpb.DescribeRequest{})
		return err
	})
	if err != nil {
		return err
	}
	var kinds []core.Description
	for _, b := range r.Descriptions {
		var d core.Description
		if err := decode("description", b, &d); err != nil {
			return core.Errorf(core.Internal, "plugin %s: %v", p.name, err)
		}
		if !validKind(d.Kind) {
			return core.Errorf(core.Invalid, "plugin %s serves kind %q, which is no name of letters and digits", p.name, d.Kind)
		}
		kinds = append(kinds, d)
	}
	if len(kinds) == 0 {
		return core.Errorf(core.Invalid, "plugin %s serves no kind", p.name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds = kinds
	return nil
}

func validKind(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// take returns a process for an attempt: the spare one if it is still good.
func (p *plugin) take() (*process, error) {
	if err := p.usable(false); err != nil {
		return nil, err
	}
	p.awaitSpare()
	p.mu.Lock()
	spare := p.spare
	p.spare = nil
	p.mu.Unlock()
	if spare != nil {
		if spare.alive() && p.binary.unchanged() {
			return spare, nil
		}
		spare.kill()
	}
	return p.sup.pad.start(p.name, p.binary)
}

// awaitSpare waits for the spare that is being started, if one is: it will be
// there sooner than another.
func (p *plugin) awaitSpare() {
	p.mu.Lock()
	sparing := p.sparing
	p.mu.Unlock()
	if sparing != nil {
		<-sparing
	}
}

// prepare starts a spare process in the background, unless there is one or one
// is being started.
func (p *plugin) prepare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.spare != nil || p.sparing != nil || p.state == StateRefused {
		return
	}
	ready := make(chan struct{})
	p.sparing = ready
	p.sup.wg.Go(func() {
		defer close(ready)
		proc, err := p.sup.pad.start(p.name, p.binary)
		if err != nil {
			// The attempt that wants a process will say so to somebody who cares.
			p.sup.config.Log.Debug("no spare plugin process", "plugin", p.name, "error", err)
		}
		p.mu.Lock()
		p.sparing = nil
		keep := !p.closed
		if keep {
			p.spare = proc
		}
		p.mu.Unlock()
		if proc != nil && !keep {
			proc.kill()
		}
	})
}

// close ends the plugin's own processes. Those of attempts end with them.
func (p *plugin) close() {
	p.starting.Lock()
	defer p.starting.Unlock()
	p.mu.Lock()
	p.closed = true
	shared, spare := p.shared, p.spare
	p.mu.Unlock()
	if shared != nil {
		shared.kill()
	}
	if spare != nil {
		spare.kill()
	}
}
