package peertest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Gang is a number of peers in this process.
type Gang struct {
	Size    int
	Program func() peer.Program // called for each rank, and for each killed rank again
	// Config changes a rank's configuration; nil leaves it as it is.
	Config func(rank int, c *peer.Config)
	Every  int64 // supersteps between checkpoints; 0: none
	Kills  []Kill
	Link   Link
}

// Link is how the ranks are linked, all in this process.
type Link int

const (
	ByMemory       Link = iota // as goroutines of one process
	BySharedMemory             // as processes of one host that meet at a table
	ByNetwork                  // as hosts
)

// Links are all of them.
var Links = []Link{ByMemory, BySharedMemory, ByNetwork}

func (l Link) String() string { return [...]string{"memory", "shared", "network"}[l] }

// Kill is the death of a rank, once.
type Kill struct {
	Rank      int
	Superstep int64
	Phase     Phase
}

// Phase is when in a superstep a rank dies.
type Phase int

const (
	AtStart Phase = iota // when the superstep has begun
	Midway               // somewhen in it, or in its Sync
	Writing              // when the checkpoint of it, or the next one, begins to be written
	Written              // when the rank is done with that checkpoint, before the others may be
)

// Phases are all of them.
var Phases = []Phase{AtStart, Midway, Writing, Written}

func (p Phase) String() string { return [...]string{"start", "midway", "writing", "written"}[p] }

// Result is what a gang made.
type Result struct {
	Rows         [][]Row // by rank, in the order of writing
	Counters     map[string]int64
	Supersteps   []peer.Superstep // rank 0's, those run again twice
	Incarnations int
	Programs     []peer.Program // by rank, as they are at the end
}

// Run runs a program on size peers. change, if any, changes each rank's
// configuration.
func Run(t testing.TB, size int, program func() peer.Program, change ...func(rank int, c *peer.Config)) *Result {
	t.Helper()
	g := Gang{Size: size, Program: program}
	if len(change) > 0 {
		g.Config = func(rank int, c *peer.Config) {
			for _, f := range change {
				f(rank, c)
			}
		}
	}
	return g.Run(t)
}

// Run runs the gang to its end and fails the test if it cannot.
func (g Gang) Run(t testing.TB) *Result {
	t.Helper()
	r, err := g.Try(t)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Try is Run for programs that fail. The error is that of the lowest rank whose
// own program failed, else of the lowest rank.
func (g Gang) Try(t testing.TB) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	run := &run{Gang: g, store: NewStore(g.Size), killed: make([]bool, len(g.Kills)), fresh: make([]bool, g.Size),
		scratch: t.TempDir(), outputs: make([]*Output, g.Size), counters: make([]map[string]int64, g.Size),
		result: &Result{Programs: make([]peer.Program, g.Size)}}
	for rank := range g.Size {
		run.result.Programs[rank], run.outputs[rank] = g.Program(), &Output{}
	}
	for {
		err := run.incarnation(ctx)
		if err == nil {
			return run.finish(), nil
		}
		if !run.struck {
			return nil, err
		}
	}
}

// run is one gang's run.
type run struct {
	Gang
	store    *Store
	scratch  string
	outputs  []*Output
	counters []map[string]int64
	result   *Result

	mu     sync.Mutex
	killed []bool // by kill
	struck bool   // a kill was carried out in this incarnation
	fresh  []bool
}

func (r *run) finish() *Result {
	r.result.Counters = map[string]int64{}
	for rank := range r.Size {
		r.result.Rows = append(r.result.Rows, r.outputs[rank].Rows())
		for name, n := range r.counters[rank] {
			r.result.Counters[name] += n
		}
	}
	return r.result
}

// incarnation runs all ranks until they end, or one is lost.
func (r *run) incarnation(ctx context.Context) error {
	r.result.Incarnations++
	r.struck = false
	meshes, err := r.join(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, r.Size)
	var wg, deaths sync.WaitGroup
	for rank, m := range meshes {
		wg.Go(func() {
			c := r.config(rank, m, &deaths)
			errs[rank] = peer.Run(ctx, c, r.result.Programs[rank])
		})
	}
	wg.Wait()
	deaths.Wait()
	for rank, fresh := range r.fresh {
		if fresh {
			r.result.Programs[rank] = r.Program()
		}
	}
	return first(errs)
}

// first is the error that tells most.
func first(errs []error) error {
	var found error
	for rank, err := range errs {
		var other *peer.RankError
		var lost *mesh.PeerError
		if err != nil && !errors.As(err, &other) && !errors.As(err, &lost) {
			return fmt.Errorf("rank %d: %w", rank, err)
		}
		if found == nil && err != nil {
			found = fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return found
}

func (r *run) config(rank int, m *mesh.Mesh, deaths *sync.WaitGroup) peer.Config {
	c := peer.Config{Mesh: m, Cores: 1, Scratch: r.scratch, Output: r.outputs[rank]}
	if r.Link == BySharedMemory {
		c.Table = filepath.Join(r.scratch, fmt.Sprintf("table-%d", r.result.Incarnations))
	}
	// A death is carried out by a goroutine, since Abort waits for the calls
	// that are under way.
	die := func() { deaths.Go(m.Abort) }
	if r.Every > 0 {
		c.Every = r.Every
		c.Checkpoints = &doomed{r.store.Rank(rank), func(phase Phase, step int64) {
			if r.strikes(rank, step, phase) {
				die()
			}
		}}
		r.mu.Lock()
		c.Resume = r.store.Last(rank, r.fresh[rank])
		r.fresh[rank] = false
		r.mu.Unlock()
	}
	c.Observe = func(s peer.Superstep) {
		r.counters[rank] = s.Counters
		if rank == 0 {
			r.result.Supersteps = append(r.result.Supersteps, s)
		}
		if r.strikes(rank, s.Number+1, AtStart) {
			m.Abort()
		}
		if r.strikes(rank, s.Number+1, Midway) {
			die()
		}
	}
	if r.Config != nil {
		r.Config(rank, &c)
	}
	return c
}

// strikes reports whether a kill is due, and notes it as carried out.
func (r *run) strikes(rank int, step int64, phase Phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, k := range r.Kills {
		due := step == k.Superstep || step > k.Superstep && (phase == Writing || phase == Written)
		if !r.killed[i] && k.Rank == rank && k.Phase == phase && due {
			r.killed[i], r.struck, r.fresh[rank] = true, true, true
			return true
		}
	}
	return false
}
