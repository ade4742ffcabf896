package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/pool"
)

// start brings the members of a lease up. It runs outside the lock.
func (g *gangRun) start(ctx context.Context, lease uint64, members []*member) {
	h, a := g.attempt.h, g.attempt
	dir, warm, err := g.claim(lease, members)
	if err == nil {
		err = h.persistPatiently(ctx, a.job, g.event("granted", fmt.Sprintf("gang %s: %s granted", g.state.Ask.Name, executors(len(members))))...)
	}
	switch {
	case err != nil:
	case warm:
		err = g.assign(members)
	default:
		err = g.launch(ctx, dir, members)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	gone := func(m *member) bool { return m.lost }
	switch {
	case errors.Is(err, journal.ErrFull):
		g.failure = core.AsError(err) // its time to start ran out meanwhile
	case slices.ContainsFunc(members, gone):
		// What came of it here, such as a fence, is not why: lose tells that.
	case err != nil && g.holds(lease):
		g.failed(err, blame(err, members))
	}
}

// claim gives the members a shared directory and sockets: a warm set's, if the
// pool has one, else new ones.
func (g *gangRun) claim(lease uint64, members []*member) (dir string, warm bool, err error) {
	h, a := g.attempt.h, g.attempt
	door, err := a.openDoor()
	if err != nil {
		return "", false, err
	}
	shape, err := g.shape(members[0].node)
	if err != nil {
		return "", false, err
	}
	if !g.special() {
		if dir, warm, err = h.pool.take(g, lease, members, shape); err != nil {
			return "", false, err
		}
		if warm {
			return dir, true, g.serveStore(lease, dir, door)
		}
		h.pool.want(shape, len(members))
	}
	dir = h.newGangDir()
	if err := g.occupy(lease, dir, members); err != nil {
		return "", false, err
	}
	if err := h.makeGangDir(dir); err != nil {
		return "", false, err
	}
	if err := g.serveControl(lease, dir); err != nil {
		return "", false, err
	}
	return dir, false, g.serveStore(lease, dir, door)
}

// special reports whether g's executors differ from all others of their shape,
// so that none can be kept ready.
func (g *gangRun) special() bool { return len(g.state.Ask.Names)+len(g.state.Ask.Volumes) > 0 }

// occupy makes members and their directory known, from where on the end of the
// lease clears them away.
func (g *gangRun) occupy(lease uint64, dir string, members []*member) error {
	h := g.attempt.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if !g.holds(lease) {
		return errStale
	}
	g.state.Dir = dir
	for _, m := range members {
		g.state.seat(m)
		h.members[m.id] = m
	}
	return nil
}

// launch starts the executors of members.
func (g *gangRun) launch(ctx context.Context, dir string, members []*member) error {
	h := g.attempt.h
	if err := h.volumes.take(ctx, g); err != nil {
		return err
	}
	set := make([]launch.Executor, len(members))
	for i, m := range members {
		token := executor.NewToken()
		assignment := g.assignment(m.rank)
		if err := h.server.Expect(m.id, token, assignment); err != nil {
			return err
		}
		shape, err := g.shape(m.node)
		if err != nil {
			return err
		}
		ex, err := h.executor(m.id, shape, dir, token)
		if err != nil {
			return err
		}
		if err := g.dress(&ex); err != nil {
			return err
		}
		ex.Labels = map[string]string{
			"job": string(g.attempt.job.rec.Job.ID), "epoch": fmt.Sprint(g.attempt.epoch),
			"gang": g.state.Ask.Name, "rank": fmt.Sprint(m.rank),
		}
		set[i] = ex
	}
	return h.cfg.Launcher.Start(ctx, set)
}

// dress gives an executor what its gang alone has: names in the job's network,
// and volumes.
func (g *gangRun) dress(ex *launch.Executor) error {
	a, ask := g.attempt, g.state.Ask
	if len(ask.Names) > 0 && ask.Network {
		ex.Network, ex.Names = fmt.Sprintf("%s.%d", a.job.rec.Job.ID, a.epoch), ask.Names
	}
	return a.h.mount(ex, ask.Volumes)
}

// assign gives members that came from the pool their places.
func (g *gangRun) assign(members []*member) error {
	h := g.attempt.h
	for _, m := range members {
		if err := h.server.Assign(m.id, g.assignment(m.rank)); err != nil {
			return err
		}
	}
	return nil
}

// executor describes one executor to the launcher and writes its bootstrap file.
func (h *Host) executor(id string, s pool.Shape, dir, token string) (launch.Executor, error) {
	boot := "boot." + id
	b := executor.Bootstrap{ID: id, Address: "unix:" + hostSock, CA: string(h.ca.CertPEM()), Token: token}
	if err := b.Write(filepath.Join(dir, boot)); err != nil {
		return launch.Executor{}, fileError("write the bootstrap file of "+id, dir, err)
	}
	if err := h.own(filepath.Join(dir, boot)); err != nil {
		return launch.Executor{}, err
	}
	ex := launch.Executor{
		ID: id, Node: s.Node, CPU: s.CPU, Memory: s.Memory, PIDs: s.PIDs, Image: s.Image, Userland: s.Userland,
		Init: []string{"executor"}, Binary: s.Binary, Shared: dir, Shm: h.shmDir(dir), Bootstrap: boot, ReadOnly: s.ReadOnly, Files: s.Files,
	}
	if s.Network {
		ex.Network = "capstan-" + filepath.Base(dir)
	}
	if s.Together {
		ex.Together = filepath.Base(dir)
	}
	return ex, nil
}

// assignment tells an executor its place.
func (g *gangRun) assignment(rank int) *wirepb.Assignment {
	a := g.attempt
	spec, _ := json.Marshal(a.job.rec.Job.Spec)
	acc := a.door.Access()
	acc.Endpoint = "unix:" + storeSock
	acc.Prefix = a.prefix()
	acc.Root = ""
	store, _ := json.Marshal(acc)
	ask := g.state.Ask
	return &wirepb.Assignment{
		Job: string(a.job.rec.Job.ID), Epoch: int64(a.epoch), Gang: ask.Name,
		Rank: int32(rank), Size: int32(ask.Size), Spec: spec, Cpu: int64(ask.CPU), Memory: int64(ask.Memory),
		Store: store, Kind: a.job.rec.Job.Spec.Kind,
	}
}

// blame is the node on which members did not start, as far as err or their
// places tell: a launcher's error names the executor. h.mu is held.
func blame(err error, members []*member) core.NodeID {
	where := core.AsError(err).Where + " "
	for _, m := range members {
		if strings.HasPrefix(where, "executor "+m.id+" ") {
			return m.node
		}
	}
	for _, m := range members {
		if m.node != members[0].node {
			return ""
		}
	}
	return members[0].node
}

// failed tells the scheduler that the gang will not come up, and on which node
// that showed, if it is known. h.mu is held.
func (g *gangRun) failed(err error, node core.NodeID) {
	g.failure = core.AsError(err)
	if g.attempt.h.hopeless(g.failure) {
		if g.hopes() {
			g.giveUp(g.failure)
		} else {
			g.attempt.end(g.failure)
		}
		return
	}
	g.attempt.h.step(gang.StartFailed{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease, Node: node, Reason: err.Error()})
}

// hopeless reports whether another try cannot help.
func (h *Host) hopeless(err *core.Error) bool {
	switch err.Kind {
	case core.Invalid, core.NotFound, core.Denied:
		return true
	}
	return diskFull(err) && len(h.nodes) < 2
}
