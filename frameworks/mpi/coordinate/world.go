package coordinate

import (
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// world is the ranks of a gang.
type world struct {
	World
	spawned bool
	layout  spec.Layout

	up        bool
	nodes     []core.NodeID
	executors []executor
	run       int // the one under way, or the last; 0: none
	again     bool
	giving    bool // it is to leave its place
	stopping  bool
	done      bool

	ended  map[int]*task.Ended // ranks of the run
	looks  map[int]seen
	passed task.Fenced // the last barrier that all went through
}

// executor is one of a world's.
type executor struct {
	present bool
	holds   *task.Holds // what it said it has; nil: not asked yet, or taken
	known   bool
	node    string // which executors share memory with it
	run     int    // that it was told to begin, or said it had
	in      int    // the barrier that its ranks are in; 0: none
	put     []pmi.Pair
}

func newWorld(w World, spawned bool) *world {
	ranks := 0
	for _, p := range w.Programs {
		ranks += p.Ranks
	}
	return &world{World: w, spawned: spawned,
		layout: spec.Layout{Ranks: ranks, PPN: w.PPN, Executors: w.Ask.Size},
		ended:  map[int]*task.Ended{}, looks: map[int]seen{}}
}

func (w *world) name() string { return w.Ask.Name }

// has reports whether w is there and has executor x.
func (w *world) has(x int) bool { return w != nil && x >= 0 && x < len(w.executors) }

// complete reports whether all executors are there and have said what they hold.
func (w *world) complete() bool {
	return w.up && !slices.ContainsFunc(w.executors, func(x executor) bool { return !x.present || !x.known })
}

// node is where an executor is; "" while that is not known.
func (w *world) node(x int) string {
	if x >= len(w.nodes) {
		return ""
	}
	return string(w.nodes[x])
}

// left is how many ranks of an executor have not ended.
func (w *world) left(x int) int {
	first, n := w.layout.Of(x)
	left := 0
	for r := first; r < first+n; r++ {
		if w.ended[r] == nil {
			left++
		}
	}
	return left
}

// quiet reports whether no rank of the run is left, on executors that are there.
func (w *world) quiet() bool {
	if w.run == 0 || !w.up {
		return true
	}
	for x := range w.executors {
		k := &w.executors[x]
		if k.present && k.run == w.run && w.left(x) > 0 {
			return false
		}
	}
	return true
}

// over reports whether all ranks of the run have ended.
func (w *world) over() bool { return w.run > 0 && len(w.ended) == w.layout.Ranks }

// reset forgets a run.
func (w *world) reset(run int) {
	w.run, w.again, w.stopping = run, false, false
	clear(w.ended)
	clear(w.looks)
	w.passed = task.Fenced{}
	for x := range w.executors {
		w.executors[x].in, w.executors[x].put = 0, nil
	}
}

// begin is what the workers are told of the world: the same whoever asks.
func (w *world) begin(c *Config) *task.Begin {
	b := &task.Begin{
		Run: w.run, World: fmt.Sprintf("capstan_%s_%d_%d", c.Job, c.Epoch, w.run),
		PPN: w.PPN, Programs: w.Programs, Put: w.Put, Spawned: w.spawned,
	}
	tokens := map[string]int{}
	for _, x := range w.executors {
		n, has := tokens[x.node]
		if !has {
			n = len(tokens)
			tokens[x.node] = n
		}
		b.Nodes = append(b.Nodes, n)
	}
	return b
}
