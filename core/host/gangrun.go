package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/pool"
	"github.com/capstan-run/capstan/core/unixsock"
)

// Names within a gang's shared directory.
const (
	hostSock  = "host.sock"
	storeSock = "store.sock"
)

// gangRun is a gang of a running attempt. Guarded by Host.mu.
//
//	waiting ─granted→ starting ─all joined→ up ─tearDown→ gone
//	   ↑                 │
//	   └────revoked──────┘
type gangRun struct {
	attempt *attempt
	id      gang.ID
	state   *gangState
	members []*member     // by rank; nil while waiting
	wanted  bool          // the coordinator asked for it
	gone    bool          // torn down: nothing of it may start any more
	resumed bool          // it was up before this host
	again   *core.GangAsk // asked for anew while it is released
	// failure is why the last start came to nothing, told when the scheduler
	// gives the gang up.
	failure   *core.Error
	listeners []net.Listener
	// told is closed once the journal has heard of the last revocation: the
	// next grant comes after it.
	told chan struct{}

	// ctx ends with the lease, and work is who acts under it: what a lease has
	// is removed only when nobody can add to it. A revoked gang gets new ones.
	ctx    context.Context
	cancel context.CancelFunc
	work   *sync.WaitGroup
	torn   sync.Once
}

// errStale ends a start whose lease is gone.
var errStale = errors.New("the lease is no longer in force")

// member is one executor of a gang.
type member struct {
	gang   *gangRun
	rank   int
	id     string
	node   core.NodeID
	warm   bool // came from the pool
	joined bool
	lost   bool
	fresh  bool // a replacement that has not joined yet
}

// newGangRun registers a gang with its attempt. h.mu is held.
func newGangRun(a *attempt, ask core.GangAsk) *gangRun {
	g := &gangRun{attempt: a, id: gang.IDOf(a.job.rec.Job.ID, ask.Name), state: &gangState{Ask: ask}, told: make(chan struct{})}
	close(g.told)
	g.renew()
	a.gangs[ask.Name] = g
	if a.job.rec.Gangs == nil {
		a.job.rec.Gangs = map[string]*gangState{}
	}
	a.job.rec.Gangs[ask.Name] = g.state
	return g
}

// renew makes g ready for a lease. h.mu is held.
func (g *gangRun) renew() {
	g.ctx, g.cancel = context.WithCancel(g.attempt.ctx)
	g.work = new(sync.WaitGroup)
}

// do runs f in a goroutine that belongs to the present lease. h.mu is held,
// and g is not gone.
func (g *gangRun) do(f func(context.Context)) {
	ctx, work := g.ctx, g.work
	work.Add(1)
	g.attempt.h.goRun(func(context.Context) { defer work.Done(); f(ctx) })
}

// holds reports whether lease is still in force. h.mu is held.
func (g *gangRun) holds(lease uint64) bool {
	return !g.gone && g.state.Lease == lease && !g.attempt.over()
}

func (g *gangRun) request() gang.Request {
	s, ask := g.attempt.job.rec.Job.Spec, g.state.Ask
	return gang.Request{
		Gang: g.id, Job: g.attempt.job.rec.Job.ID, Size: ask.Size,
		Each:      core.Resources{CPU: ask.CPU, Memory: ask.Memory},
		Placement: ask.Placement, Priority: s.Metadata.Priority, Queue: s.Metadata.Queue,
		StartTimeout: time.Duration(ask.StartTimeout).Milliseconds(),
		Walltime:     time.Duration(s.Metadata.Walltime).Milliseconds(),
	}
}

// granted takes the scheduler's placement: names the members, then starts them
// outside the lock. h.mu is held.
func (g *gangRun) granted(act gang.Grant) {
	a := g.attempt
	if g.gone || a.over() {
		return
	}
	rec := &a.job.rec
	g.failure = nil
	g.state.Lease = act.Lease
	rec.Lease = max(rec.Lease, act.Lease)
	rec.Generation = max(rec.Generation, 1)
	g.state.Members = make([]memberState, len(act.Nodes))
	g.members = make([]*member, len(act.Nodes))
	for r, node := range act.Nodes {
		g.members[r] = &member{gang: g, rank: r, node: node, id: g.executorID(r, 0)}
	}
	if a.job.rec.Job.State == core.Queued {
		a.job.rec.Job.State = core.Starting
	}
	members, told := g.members, g.told
	g.do(func(ctx context.Context) {
		select {
		case <-told:
			g.start(ctx, act.Lease, members)
		case <-ctx.Done():
		}
	})
	a.begin()
}

// executorID names the n-th executor of a rank under the present lease.
func (g *gangRun) executorID(rank, n int) string {
	a := g.attempt
	id := core.Rank{Job: a.job.rec.Job.ID, Epoch: a.epoch, Gang: g.state.Ask.Name, Rank: rank}.String()
	id = fmt.Sprintf("%s.%d", id, g.state.Lease)
	if n > 0 {
		id = fmt.Sprintf("%s.%d", id, n)
	}
	return id
}

// start brings the members of a lease up. It runs outside the lock.
func (g *gangRun) start(ctx context.Context, lease uint64, members []*member) {
	h, a := g.attempt.h, g.attempt
	dir, warm, err := g.claim(lease, members)
	if err == nil {
		err = h.persistPatiently(ctx, a.job, g.event("granted", fmt.Sprintf("gang %s: %d executors granted", g.state.Ask.Name, len(members))))
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
	if dir, warm, err = h.pool.take(g, lease, members, shape); err != nil {
		return "", false, err
	}
	if warm {
		return dir, true, g.serveStore(lease, dir, door)
	}
	h.pool.want(shape, len(members))
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
	for r, m := range members {
		g.state.Members[r] = memberState{ID: m.id, Node: m.node}
		h.members[m.id] = m
	}
	return nil
}

func (h *Host) newGangDir() string {
	return filepath.Join(h.cfg.StateDir, "gangs", randomName(8))
}

// makeGangDir makes a gang's shared directory, owned by the executors' user.
func (h *Host) makeGangDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileError("make the gang's directory", dir, err)
	}
	return h.own(dir)
}

// removeDir removes a gang's directory.
func removeDir(dir string) {
	if dir != "" {
		os.RemoveAll(dir)
	}
}

// own hands a path over to the executors' user.
func (h *Host) own(path string) error {
	if h.cfg.ExecutorUID < 0 {
		return nil
	}
	return os.Lchown(path, h.cfg.ExecutorUID, h.cfg.ExecutorGID)
}

// serveControl opens the gang's socket to the host.
func (g *gangRun) serveControl(lease uint64, dir string) error {
	h := g.attempt.h
	l, err := h.listen(filepath.Join(dir, hostSock))
	if err != nil {
		return err
	}
	if err := g.keep(lease, l); err != nil {
		return err
	}
	h.goRun(func(context.Context) { h.server.Serve(l) })
	return nil
}

// serveStore opens the gang's socket to the store.
func (g *gangRun) serveStore(lease uint64, dir string, door Door) error {
	l, err := g.attempt.h.listen(filepath.Join(dir, storeSock))
	if err != nil {
		return err
	}
	if err := g.keep(lease, l); err != nil {
		return err
	}
	door.Serve(l)
	return nil
}

// keep remembers a listener until the lease ends, and closes it if that is so
// already.
func (g *gangRun) keep(lease uint64, l net.Listener) error {
	g.attempt.h.mu.Lock()
	defer g.attempt.h.mu.Unlock()
	if !g.holds(lease) {
		l.Close()
		return errStale
	}
	g.listeners = append(g.listeners, l)
	return nil
}

func (h *Host) listen(path string) (net.Listener, error) {
	os.Remove(path)
	l, err := unixsock.Listen(path)
	if err != nil {
		return nil, fileError("listen", path, err)
	}
	if err := h.own(path); err != nil {
		l.Close()
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// launch starts the executors of members.
func (g *gangRun) launch(ctx context.Context, dir string, members []*member) error {
	h := g.attempt.h
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
		ex.Labels = map[string]string{
			"job": string(g.attempt.job.rec.Job.ID), "epoch": fmt.Sprint(g.attempt.epoch),
			"gang": g.state.Ask.Name, "rank": fmt.Sprint(m.rank),
		}
		set[i] = ex
	}
	return h.cfg.Launcher.Start(ctx, set)
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
		Init: []string{"executor"}, Binary: s.Binary, Shared: dir, Bootstrap: boot, ReadOnly: s.ReadOnly, Files: s.Files,
	}
	if s.Network {
		ex.Network = "capstan-" + filepath.Base(dir)
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
		g.attempt.end(g.failure)
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

// revoked releases everything the gang holds; it waits again. h.mu is held.
func (g *gangRun) revoked(act gang.Revoke) {
	h, a := g.attempt.h, g.attempt
	if g.gone {
		return
	}
	old := &gangRun{attempt: a, id: g.id, state: &gangState{Ask: g.state.Ask, Dir: g.state.Dir},
		members: g.members, listeners: g.listeners, ctx: g.ctx, cancel: g.cancel, work: g.work}
	old.retire()
	g.members, g.listeners = nil, nil
	g.renew()
	g.state.Lease, g.state.Dir, g.state.Members, g.state.Up = 0, "", nil, false
	if a.job.rec.Job.State == core.Starting {
		a.job.rec.Job.State = core.Queued
	}
	a.clearing.Add(2)
	h.goRun(func(context.Context) { defer a.clearing.Done(); old.tearDown() })
	told := make(chan struct{})
	g.told = told
	event := g.event("revoked", fmt.Sprintf("gang %s goes back to the queue: %s", g.state.Ask.Name, act.Reason))
	h.goRun(func(context.Context) {
		defer a.clearing.Done()
		defer close(told)
		h.persist(a.job, event)
	})
}

func (g *gangRun) event(kind, text string) journal.Record { return g.attempt.job.event(kind, text) }

// memberJoined counts a member in; the last one brings the gang up. h.mu is held.
func (g *gangRun) memberJoined(m *member, running bool) {
	h := g.attempt.h
	if g.gone || g.attempt.over() {
		return
	}
	if m.joined {
		if g.state.Up && !running && !m.lost {
			h.server.Start(m.id)
		}
		return
	}
	m.joined = true
	h.server.SetGeneration(m.id, g.attempt.job.rec.Generation)
	if m.fresh {
		m.fresh = false
		h.server.Start(m.id)
		if g.wanted {
			g.attempt.side.tell(core.ExecutorReplaced{Gang: g.state.Ask.Name, Rank: m.rank})
		}
		g.do(func(ctx context.Context) {
			h.persistPatiently(ctx, g.attempt.job, g.event("executor-replaced", fmt.Sprintf("rank %d runs again", m.rank)))
		})
		return
	}
	if g.state.Up {
		if !running { // the former host died before it could tell it to start
			h.server.Start(m.id)
		}
		g.adoptedOne()
		return
	}
	h.step(gang.MemberJoined{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease, Rank: m.rank})
	for _, o := range g.members {
		if !o.joined {
			return
		}
	}
	g.comeUp()
}

// comeUp opens the barrier: every member has joined. h.mu is held.
func (g *gangRun) comeUp() {
	h, a := g.attempt.h, g.attempt
	g.state.Up = true
	h.step(gang.Started{Now: now().UnixMilli(), Gang: g.id, Lease: g.state.Lease})
	for _, m := range g.members {
		h.server.SetGeneration(m.id, a.job.rec.Generation)
		h.server.Start(m.id)
	}
	if a.job.rec.Job.Started.IsZero() {
		a.job.rec.Job.Started = now()
	}
	a.job.rec.Job.State = core.Running
	a.job.notify()
	n := len(g.members)
	g.do(func(ctx context.Context) {
		h.persistPatiently(ctx, a.job, g.event("gang-up", fmt.Sprintf("gang %s: all %d executors are up", g.state.Ask.Name, n)))
	})
	if g.wanted {
		a.side.tell(g.upEvent(false))
	}
}

// upEvent describes the gang to the coordinator. h.mu is held.
func (g *gangRun) upEvent(resumed bool) core.GangUp {
	up := core.GangUp{Gang: g.state.Ask.Name, Size: len(g.members), Resumed: resumed}
	for r, m := range g.members {
		up.Nodes = append(up.Nodes, m.node)
		if m.lost || m.fresh {
			up.Lost = append(up.Lost, r)
		}
	}
	return up
}

func (g *gangRun) setGeneration(gen int64) {
	for _, m := range g.members {
		if m != nil && m.joined && !m.lost {
			g.attempt.h.server.SetGeneration(m.id, gen)
		}
	}
}

// retire ends the lease: from now on nobody is heard, and nothing may be added
// to what tearDown removes. h.mu is held.
func (g *gangRun) retire() {
	g.gone = true
	g.cancel()
	for _, m := range g.members {
		m.lost = true
		delete(g.attempt.h.members, m.id)
	}
}

// tearDown stops the gang's executors and removes its directory. It runs
// outside the lock and returns when nothing is left.
func (g *gangRun) tearDown() { g.torn.Do(g.clear) }

func (g *gangRun) clear() {
	h := g.attempt.h
	h.mu.Lock()
	g.retire()
	var ids []string
	for _, m := range g.members {
		ids = append(ids, m.id)
	}
	fenced := slices.Concat(g.state.Fenced, ids)
	listeners, dir := g.listeners, g.state.Dir
	h.mu.Unlock()
	for _, id := range ids {
		h.server.Fence(id)
	}
	for _, l := range listeners {
		l.Close()
	}
	g.work.Wait()
	h.stopExecutors(ids)
	for _, id := range fenced {
		h.server.Forget(id)
	}
	removeDir(dir)
}

// release ends a gang that its coordinator let go, and queues it again if the
// coordinator has asked for it meanwhile.
func (g *gangRun) release() {
	a, h := g.attempt, g.attempt.h
	h.persistPatiently(a.ctx, a.job, g.event("released", fmt.Sprintf("gang %s: released by its coordinator", g.state.Ask.Name)))
	g.tearDown()
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.over() {
		return // the end of the attempt releases it
	}
	h.step(gang.Release{Now: now().UnixMilli(), Gang: g.id})
	delete(a.gangs, g.state.Ask.Name)
	if g.again != nil {
		a.addGang(*g.again)
		a.gangs[g.again.Name].wanted = true
	}
}

// stopExecutors stops ids, insisting while the host lives.
func (h *Host) stopExecutors(ids []string) {
	if len(ids) == 0 {
		return
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), 30*time.Second)
		err := h.cfg.Launcher.Stop(ctx, ids...)
		cancel()
		if err == nil {
			return
		}
		h.log.Warn("stop executors", "ids", ids, "err", err)
		select {
		case <-h.ctx.Done():
			return // the next host stops what it does not know
		case <-time.After(wait):
		}
	}
}
