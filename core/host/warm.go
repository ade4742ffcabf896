package host

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/pool"
)

// warmPool furnishes the pool of warm executors: their directories, sockets
// and tokens. A nil pool keeps none.
type warmPool struct {
	h    *Host
	pool *pool.Pool

	mu       sync.Mutex
	controls map[string]net.Listener // by directory, of sets not taken
}

func newWarmPool(h *Host) (*warmPool, error) {
	w := &warmPool{h: h, controls: map[string]net.Listener{}}
	p, err := pool.New(h.ctx, pool.Config{Launcher: h.cfg.Launcher, Host: w, MaxShapes: h.cfg.Warm, Log: h.log})
	w.pool = p
	return w, err
}

// Furnish implements pool.Host.
func (w *warmPool) Furnish(_ context.Context, shape pool.Shape, n int) (pool.Set, error) {
	h := w.h
	set := pool.Set{Dir: h.newGangDir()}
	if err := h.makeGangDir(set.Dir); err != nil {
		return pool.Set{}, err
	}
	control, err := h.listen(filepath.Join(set.Dir, hostSock))
	if err != nil {
		h.removeGangDir(set.Dir)
		return pool.Set{}, err
	}
	w.mu.Lock()
	w.controls[set.Dir] = control
	w.mu.Unlock()
	h.goRun(func(context.Context) { h.server.Serve(control) })
	for i := range n {
		id := fmt.Sprintf("warm.%s.%d", filepath.Base(set.Dir), i)
		token := executor.NewToken()
		err := h.server.Expect(id, token, nil)
		var ex launch.Executor
		if err == nil {
			ex, err = h.executor(id, shape, set.Dir, token)
		}
		if err != nil {
			w.Discard(set)
			return pool.Set{}, err
		}
		ex.Labels = map[string]string{"warm": "true"}
		set.Executors = append(set.Executors, ex)
	}
	return set, nil
}

// Discard implements pool.Host.
func (w *warmPool) Discard(set pool.Set) {
	for _, ex := range set.Executors {
		w.h.server.Fence(ex.ID)
		w.h.server.Forget(ex.ID)
	}
	if set.Dir == "" {
		return
	}
	if control := w.control(set.Dir); control != nil {
		control.Close()
	}
	w.h.removeGangDir(set.Dir)
}

// control hands the set's listener over.
func (w *warmPool) control(dir string) net.Listener {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.controls[dir]
	delete(w.controls, dir)
	return l
}

// take gives the members of g's lease a warm set, if one of their shape is
// ready, and answers its directory.
func (w *warmPool) take(g *gangRun, lease uint64, members []*member, shape pool.Shape) (dir string, ok bool, err error) {
	if w == nil {
		return "", false, nil
	}
	for _, m := range members {
		if m.node != shape.Node {
			return "", false, nil
		}
	}
	h := w.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if !g.holds(lease) {
		return "", false, errStale
	}
	// The end of an executor is the pool's to know or the gang's: in between
	// nobody would hear of it.
	set, ok := w.pool.Take(shape, len(members))
	if !ok {
		return "", false, nil
	}
	g.state.Dir = set.Dir
	g.listeners = append(g.listeners, w.control(set.Dir))
	for r, m := range members {
		m.id, m.warm = set.Executors[r].ID, true
		g.state.seat(m)
		h.members[m.id] = m
	}
	return set.Dir, true, nil
}

// want has sets of a gang's shape kept ready from now on.
func (w *warmPool) want(shape pool.Shape, n int) {
	if w != nil {
		w.pool.Warm(shape, n)
	}
}

// standing tells how many executors are warm on each node.
func (w *warmPool) standing() map[core.NodeID]pool.Stand {
	if w == nil {
		return nil
	}
	return w.pool.Standing()
}

func (w *warmPool) joined(id string) {
	if w != nil {
		w.pool.Joined(id)
	}
}

func (w *warmPool) lost(id string) {
	if w != nil {
		w.pool.Lost(id)
	}
}

func (w *warmPool) close() { w.pool.Close() }

// shape is what g's executors have in common, on a node.
func (g *gangRun) shape(node core.NodeID) (pool.Shape, error) {
	h, ask := g.attempt.h, g.state.Ask
	s := pool.Shape{
		Node: node, Image: ask.Image, Userland: ask.Userland, Network: ask.Network, Together: ask.Together,
		CPU: ask.CPU, Memory: ask.Memory, ReadOnly: ask.ReadOnly, Files: map[string]string{},
	}
	if ask.Program != "" {
		s.Binary = h.shipped.path(ask.Program)
	} else {
		var err error
		if s.Binary, _, err = h.cfg.Frameworks.Binary(g.attempt.job.rec.Job.Spec.Kind); err != nil {
			return s, err
		}
	}
	for _, f := range ask.Files {
		s.Files[f.Name] = h.shipped.path(f.SHA256)
	}
	return s, nil
}
