package mesh

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

// Join links this rank to all others and returns when every link is up; with
// Config.Lazy, when this rank can be reached. All ranks join at about the same
// time, each within its ctx. Peers cannot join twice: a rank that is lost stays
// lost for this mesh.
//
// Errors: Invalid for a config that cannot work, Conflict where a peer's
// config differs or a rank is there twice, TimedOut where a peer did not come.
func Join(ctx context.Context, cfg Config) (*Mesh, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	j := &joiner{m: newMesh(cfg), came: map[laneKey]chan arrival{}}
	if cfg.Lazy {
		j.m.linker = newLinker(j)
	} else {
		defer j.drain()
		defer j.close()
	}
	err := j.open()
	if err == nil {
		err = j.connect(ctx)
	}
	if err != nil {
		j.m.Abort()
		return nil, explain(ctx, &cfg, err)
	}
	for _, l := range j.m.linked() {
		if w, ok := l.(*wire); ok {
			w.start()
		}
	}
	return j.m, nil
}

// explain makes an error of joining one for a user.
func explain(ctx context.Context, cfg *Config, err error) error {
	var known *core.Error
	if errors.As(err, &known) {
		return err
	}
	e := &core.Error{Kind: core.Failed, What: "join the mesh", Where: place(cfg.Rank), Err: err,
		Remedy: "check that all ranks run, and that this one may reach their addresses"}
	if ctx.Err() != nil {
		e.Kind = core.TimedOut
		e.Remedy = "see the logs of the ranks that did not come"
	}
	return e
}

// joiner is a mesh on its way up.
type joiner struct {
	m    *Mesh
	file *os.File // the arena's, for peers

	came  map[laneKey]chan arrival
	doors []*door
}

// laneKey is a lane of a link that a peer dials.
type laneKey struct{ rank, lane int }

// arrival is a connection that a peer made.
type arrival struct {
	conn  net.Conn
	hello *hello
	files []*os.File
}

// open makes what peers will look for.
func (j *joiner) open() error {
	cfg := &j.m.cfg
	near, far := false, false
	for r := range cfg.Size {
		way := cfg.wayTo(r)
		near = near || r != cfg.Rank && way == sameHost
		far = far || (r > cfg.Rank || cfg.Lazy && r != cfg.Rank) && way == elsewhere
		if r > cfg.Rank && way != inProcess {
			for _, lane := range lanes(cfg, way == sameHost) {
				j.came[laneKey{r, lane}] = make(chan arrival, 1)
			}
		}
	}
	if near {
		if err := j.openShared(); err != nil {
			return err
		}
	}
	if cfg.Listener != nil {
		if far {
			j.doors = append(j.doors, newDoor(j, cfg.Listener, false))
		} else {
			cfg.Listener.Close()
		}
	}
	return nil
}

// openShared makes this rank's arena and socket.
func (j *joiner) openShared() error {
	cfg := &j.m.cfg
	region, file, err := shm.Create(fmt.Sprintf("mesh-%d", cfg.Rank), cfg.Arena)
	if err != nil {
		return err
	}
	j.file = file
	j.m.arena = &arena{memory: newMapping(region), mem: region.Bytes(), heap: shm.NewHeap(cfg.Arena)}
	l, err := unixsock.Listen(socket(cfg, cfg.Rank))
	if err != nil {
		return err
	}
	j.doors = append(j.doors, newDoor(j, l, true))
	return nil
}

// socket is where a rank of this host is reached. Meshes of several IDs may
// use one directory.
func socket(cfg *Config, rank int) string {
	h := fnv.New64a()
	h.Write([]byte(cfg.ID))
	return filepath.Join(cfg.Dir, fmt.Sprintf("mesh-%016x-%d", h.Sum64(), rank))
}

// lanes are the lanes of a link.
func lanes(cfg *Config, shared bool) []int {
	if shared {
		return []int{controlLane, bulkLane}
	}
	list := []int{controlLane, streamLane}
	for i := range cfg.Streams {
		list = append(list, bulkLane+i)
	}
	return list
}

// connect makes every link.
func (j *joiner) connect(ctx context.Context) error {
	cfg := &j.m.cfg
	g, ctx := errgroup.WithContext(ctx)
	var here []int
	for r := range cfg.Size {
		switch cfg.wayTo(r) {
		case inProcess:
			here = append(here, r)
		case sameHost, elsewhere:
			if !cfg.Lazy {
				g.Go(func() error { return j.wire(ctx, r, cfg.wayTo(r) == sameHost) })
			}
		}
	}
	hub := cfg.Hub
	if hub == nil {
		hub = new(Hub) // to meet itself
	}
	g.Go(func() error { return hub.join(ctx, j.m, here) })
	return g.Wait()
}

// wire makes the link to a rank of another process.
func (j *joiner) wire(ctx context.Context, r int, shared bool) error {
	cfg := &j.m.cfg
	var got []arrival
	var err error
	for _, lane := range lanes(cfg, shared) {
		var a arrival
		if r < cfg.Rank {
			a, err = j.dial(ctx, r, lane, shared)
		} else {
			a, err = j.await(ctx, laneKey{r, lane})
		}
		if err != nil {
			break
		}
		got = append(got, a)
	}
	if err == nil {
		err = j.build(r, shared, got)
	}
	if err != nil {
		for _, a := range got {
			a.drop()
		}
		return fmt.Errorf("%s: %w", cfg.link(r), err)
	}
	return nil
}

func (j *joiner) await(ctx context.Context, k laneKey) (arrival, error) {
	select {
	case a := <-j.came[k]:
		return a, nil
	case <-ctx.Done():
		return arrival{}, ctx.Err()
	}
}

// drop closes what came.
func (a *arrival) drop() {
	if a.conn != nil {
		a.conn.Close()
	}
	a.dropFiles()
}

func (a *arrival) dropFiles() {
	for _, f := range a.files {
		f.Close()
	}
	a.files = nil
}

// build puts a link together from its lanes.
func (j *joiner) build(r int, near bool, got []arrival) error {
	w := newWire(j.m, r, got[0].conn)
	bulks := got[1:]
	var ring *shared
	if near {
		lane, err := j.buildShared(w, &got[0])
		if err != nil {
			return err
		}
		w.data = lane
		j.m.arena.add(lane)
		ring = lane
	} else {
		lane := newStream(w, got[1].conn, got[0].hello.window)
		w.data, w.readers, bulks = lane, append(w.readers, lane.run), got[2:]
	}
	for _, a := range bulks {
		b := newBulk(a.conn)
		w.bulk = append(w.bulk, b)
		w.readers = append(w.readers, func() error { return w.readBulk(b) })
	}
	j.m.attach(r, w, ring)
	return nil
}

// buildShared maps what the peer sent: the higher rank both the region of the
// pair and its arena, the lower rank its arena.
func (j *joiner) buildShared(w *wire, a *arrival) (*shared, error) {
	defer a.dropFiles()
	if len(a.files) != 2 {
		return nil, fmt.Errorf("%w: %d files came with it", errHello, len(a.files))
	}
	ring := ringSize(j.m.cfg.Window)
	pair, err := shm.Open(a.files[0], pairSize(ring), true)
	if err != nil {
		return nil, err
	}
	arena, err := shm.Open(a.files[1], int(a.hello.arena), false)
	if err != nil {
		return nil, errors.Join(err, pair.Close())
	}
	return newShared(w, pair, arena, ring)
}

// close ends the joining: nobody can join any more.
func (j *joiner) close() {
	for _, d := range j.doors {
		d.close()
	}
}

// drain gives back what nobody came for. Nothing is dialled any more.
func (j *joiner) drain() {
	if j.file != nil {
		j.file.Close()
	}
	for _, ch := range j.came {
		select {
		case a := <-ch:
			a.drop()
		default:
		}
	}
}
