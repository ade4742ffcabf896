package gang

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// obedient is a world in which every start succeeds at once and no gang runs
// longer than it said.
type obedient struct {
	s    *Scheduler
	now  int64
	ends map[ID]int64
	run  func(q Request) int64
	told func(g *member) // when it is granted
	asks map[ID]Request
}

func newObedient(run func(Request) int64) *obedient {
	w := &obedient{s: New(Config{}), ends: map[ID]int64{}, run: run, told: func(*member) {}, asks: map[ID]Request{}}
	for i := range 4 {
		w.step(NodeUp{0, core.Node{ID: core.NodeID(rune('a' + i)), Capacity: core.Resources{CPU: 4000, Memory: 8 << 30}}})
	}
	return w
}

func (w *obedient) step(e Event) {
	for _, a := range w.s.Step(e).Actions {
		if a, ok := a.(Grant); ok {
			g := w.s.gangs[a.Gang]
			w.told(g)
			w.ends[a.Gang] = w.now + w.run(w.asks[a.Gang])
			w.step(Started{w.now, a.Gang, a.Lease})
		}
	}
}

func (w *obedient) submit(q Request) {
	w.asks[q.Gang] = q
	w.step(Submit{Now: w.now, Request: q})
}

// until lets time pass.
func (w *obedient) until(at int64) {
	for {
		next, who := at, ID("")
		for id, end := range w.ends {
			if end < next || end == next && id < who {
				next, who = end, id
			}
		}
		if tick := w.s.Next(); tick > 0 && tick < next {
			next, who = tick, ""
		}
		w.now = max(w.now, next)
		switch {
		case who != "":
			delete(w.ends, who)
			w.step(Release{Now: w.now, Gang: who, Ended: OK})
		case next == at:
			return
		default:
			w.step(Tick{w.now})
		}
	}
}

// TestPromisesAreKept: where walltimes are obeyed and nothing fails, at least 99
// of 100 gangs start by the time they were promised, also where shapes leave
// parts of nodes over that fit nobody, here a quarter.
func TestPromisesAreKept(t *testing.T) {
	for _, test := range []struct {
		name  string
		cpus  []core.MilliCPU
		least int // of 1,000
	}{
		{"one core each", []core.MilliCPU{1000}, 990},
		{"half a core or one", []core.MilliCPU{500, 1000}, 990},
		{"parts of nodes left over", []core.MilliCPU{500, 1000, 1500}, 990},
	} {
		t.Run(test.name, func(t *testing.T) { keepPromises(t, test.cpus, test.least) })
	}
}

func keepPromises(t *testing.T, cpus []core.MilliCPU, least int) {
	promised, kept := 0, 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := newObedient(func(q Request) int64 { return 1 + r.Int64N(q.Walltime) })
		w.told = func(g *member) {
			if g.promise != 0 {
				promised++
				if w.now <= g.promise {
					kept++
				}
			}
		}
		for i := range 150 {
			w.until(w.now + r.Int64N(12_000))
			w.submit(Request{Gang: ID(fmt.Sprintf("j%03d/m", i)), Job: core.JobID(fmt.Sprintf("j%03d", i)), Size: 1 + r.IntN(10),
				Each: core.Resources{CPU: cpus[r.IntN(len(cpus))]}, Walltime: 1000 + r.Int64N(60_000), StartTimeout: 1000})
		}
		w.until(w.now + 36_000_000)
		if n := len(w.s.gangs); n > 0 {
			t.Fatalf("seed %d: %d gangs are left:\n%v", seed, n, w.s)
		}
	}
	t.Logf("%d of %d promises were kept", kept, promised)
	if promised < 1000 || kept*1000 < promised*least {
		t.Errorf("%d of %d promises were kept", kept, promised)
	}
}

// TestPromiseCountsNodes: what is quoted is when nodes have room, not when there
// is as much free in parts of them.
func TestPromiseCountsNodes(t *testing.T) {
	w := newObedient(func(q Request) int64 { return q.Walltime })
	submit := func(name string, size int, cpu core.MilliCPU, wall int64, p core.PlacementAsk) {
		w.submit(Request{Gang: ID(name + "/m"), Job: core.JobID(name), Size: size, Each: core.Resources{CPU: cpu}, Walltime: wall, StartTimeout: 1000, Placement: p})
	}
	for i := range 4 { // one on each node of four cores, with one free
		submit(fmt.Sprint("busy", i), 1, 3000, int64(i+1)*10_000, core.PlacementAsk{})
	}
	submit("halves", 2, 2000, 5000, core.PlacementAsk{})
	submit("host", 8, 500, 5000, core.PlacementAsk{Pack: "host"})
	// The first node is free at 10 s; both quotes leave a walltime to others, and
	// what comes later is planned beside what came before: halves take that node,
	// and host, which needs a whole one, the next.
	for name, want := range map[ID]int64{"halves/m": 10_000 + 5000, "host/m": 16_000 + 5000} {
		if got := w.s.gangs[name].promise; got != want {
			t.Errorf("%s is promised %d, want %d", name, got, want)
		}
	}
	w.until(60_000)
	if n := len(w.s.gangs); n > 0 {
		t.Errorf("%d gangs are left:\n%v", n, w.s)
	}
}

// TestNothingStarves keeps more small gangs coming than there is room for. A
// large one among them starts when what ran and waited before it is over, a few
// times over.
func TestNothingStarves(t *testing.T) {
	for _, wall := range []int64{0, 10_000} {
		w := newObedient(func(Request) int64 { return 9000 })
		n, started := 0, int64(0)
		small := func() {
			n++
			w.submit(Request{Gang: ID(fmt.Sprintf("s%05d/m", n)), Job: core.JobID(fmt.Sprintf("s%05d", n)), Size: 1,
				Each: core.Resources{CPU: 1000}, Walltime: wall, StartTimeout: 1000, Predicted: 9000})
		}
		for range 40 {
			small()
		}
		w.told = func(g *member) {
			if g.Gang == "large/m" {
				started = w.now
			}
		}
		w.submit(Request{Gang: "large/m", Job: "large", Size: 15, Each: core.Resources{CPU: 1000}, Walltime: wall, StartTimeout: 1000})
		for w.now < 600_000 && started == 0 {
			w.until(w.now + 400)
			small()
		}
		if started == 0 || started > 120_000 {
			t.Errorf("walltime %d: the large gang started at %d ms, behind 40 gangs of 9 s on 16 cores", wall, started)
		}
	}
}
