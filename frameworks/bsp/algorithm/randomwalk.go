package algorithm

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// walkOptions are the options of randomwalk.
type walkOptions struct {
	Length int    `json:"length" about:"steps of a walk; it ends sooner where no edge leads on"`
	Walks  int    `json:"walks" about:"how many begin at each vertex"`
	Seed   int    `json:"seed" about:"of the choices left to chance: the same seed gives the same walks"`
	Result string `json:"result" about:"paths: the vertices of each walk; visits: how often walks came to each vertex, their beginnings not counted"`
}

// Results of a random walk.
const (
	resultPaths  = "paths"
	resultVisits = "visits"
)

func (o *walkOptions) check(f *faults) {
	atLeast(f, "length", o.Length, 0)
	atLeast(f, "walks", o.Walks, 1)
	if o.Result != resultPaths && o.Result != resultVisits {
		f.add("result", "use paths or visits", "there is no result %q", o.Result)
	}
}

func randomWalks() []Algorithm {
	return []Algorithm{define("randomwalk",
		"walks from each vertex along edges left to chance, weight by weight",
		walkOptions{Length: 10, Walks: 1, Seed: 1, Result: resultPaths},
		func(c graph.Config, o walkOptions) peer.Program {
			return &randomWalk{graphProgram: graphProgram{config: c, need: graph.Need{Out: true, Weights: true, Room: graph.Room{Own: 16 + 8, Others: 4 + 8, Named: nameRoom, Entry: 12}}}, options: o}
		})}
}

// randomWalk walks as DeepWalk does (Perozzi, Al-Rfou and Skiena, "DeepWalk:
// online learning of social representations", 2014): each step follows an edge
// out, all alike, or in proportion to weights. An edge without a positive
// weight is never followed.
//
// Which edge a step follows is a hash of the seed, the beginning, the number of
// the walk and of the step, in the order of the targets' ids: the walks are the
// same whatever the gang. A walk goes on within a rank as far as it can before it
// is sent. For paths, walks begin in rounds whose paths fit the memory.
type randomWalk struct {
	graphProgram
	options walkOptions
	walkState
}

// walkState is what a checkpoint keeps.
type walkState struct {
	at      int64      // own vertices whose walks have been written, or for visits have begun
	begun   bool       // the round's walks have begun
	paths   []uint32   // of the round: places, length+1 for each walk
	lengths []uint32   // of the round: places in each path
	visits  []uint64   // of own vertices
	walkers [][]uint64 // by rank: on their way, three words each
	steps   [][]uint64 // by rank: for the paths that began there, two words each
}

// A walker is three words: place of its beginning and number of the walk; rank
// of its beginning and number within the round; step and vertex.
const walkerWords = 3

const (
	blockWalkers uint32 = 0x5201 + iota
	blockSteps
)

// walking is what a rank walks with.
type walking struct {
	*randomWalk
	peer    *peer.Peer
	places  []uint32  // whole column
	targets []uint32  // as in Out, but in each row in the order of places
	sums    []float64 // by edge: the weights of its row up to it; nil without weights
	batch   int       // own vertices in a round
	walked  int64     // edges, in this superstep
	sent    *peer.Aggregator[int64]
	left    *peer.Aggregator[int64]
}

// pathShare is the part of the memory that the paths of a round may take.
const pathShare = 8

// Run writes a line (first vertex, path) for each walk: the ids with blanks
// between them; or a line (vertex, visits) for each vertex.
func (r *randomWalk) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		r.walkState = walkState{}
	}
	if err := r.load(ctx, p); err != nil {
		return err
	}
	numbers, err := numberVertices(ctx, p, r.part)
	if err != nil {
		return err
	}
	m, err := newMirror(ctx, p, r.part, r.part.Out)
	if err != nil {
		return err
	}
	w := &walking{randomWalk: r, peer: p, places: wholeColumn[uint32](r.part),
		sent: peer.Sum[int64](p, "walkers"), left: peer.Sum[int64](p, "walks left")}
	copy(own(r.part, w.places), numbers.places)
	if err := exchange(ctx, m, w.places); err != nil {
		return err
	}
	if err := w.sort(); err != nil {
		return err
	}
	perVertex := int64(r.options.Walks) * int64(4*(r.options.Length+2)+16)
	w.batch = int(max(1, min(p.Memory()/pathShare, r.part.Left())/perVertex))
	if r.walkers == nil {
		r.walkers, r.steps = make([][]uint64, p.Size()), make([][]uint64, p.Size())
		r.visits = make([]uint64, r.part.N())
	}
	p.HoldCheckpoints(false)
	for more := true; more; {
		if more, err = w.round(ctx, numbers); err != nil {
			return err
		}
	}
	if r.options.Result == resultVisits {
		return writeValues(p, r.part, r.visits)
	}
	return nil
}

// sort brings the targets of each row into the order of places. It claims what
// they take.
func (w *walking) sort() error {
	out := w.part.Out
	if err := w.part.Claim(int64(4*len(out.Targets) + 8*len(out.Weights))); err != nil {
		return err
	}
	w.targets = slices.Clone(out.Targets)
	if out.Weights != nil {
		w.sums = slices.Clone(out.Weights)
	}
	share(w.peer.Cores(), out, func(_, from, to int) {
		for v := from; v < to; v++ {
			row := w.targets[out.Offsets[v]:out.Offsets[v+1]]
			if w.sums == nil {
				slices.SortFunc(row, func(a, b uint32) int { return cmp.Compare(w.places[a], w.places[b]) })
				continue
			}
			sums := w.sums[out.Offsets[v]:out.Offsets[v+1]]
			sort.Sort(&weightedRow{row, sums, w.places})
			total := 0.0
			for i, weight := range sums {
				if weight > 0 {
					total += weight
				}
				sums[i] = total
			}
		}
	})
	return nil
}

// weightedRow sorts targets by places, those that are there twice by weight.
type weightedRow struct {
	targets []uint32
	weights []float64
	places  []uint32
}

func (r *weightedRow) Len() int { return len(r.targets) }

func (r *weightedRow) Less(i, j int) bool {
	a, b := r.places[r.targets[i]], r.places[r.targets[j]]
	return a < b || a == b && cmp.Less(r.weights[i], r.weights[j])
}

func (r *weightedRow) Swap(i, j int) {
	r.targets[i], r.targets[j] = r.targets[j], r.targets[i]
	r.weights[i], r.weights[j] = r.weights[j], r.weights[i]
}

// round walks from the next vertices and reports whether any rank has more.
func (w *walking) round(ctx context.Context, numbers *numbers) (more bool, err error) {
	to := min(int(w.at)+w.batch, w.part.N())
	if !w.begun {
		w.begin(to)
	}
	for {
		w.peer.Edges(w.walked)
		w.walked = 0
		n, err := w.send()
		if err != nil {
			return false, err
		}
		w.sent.Add(n)
		w.left.Add(int64(w.part.N() - to))
		w.peer.Active(n)
		if err := w.peer.Sync(ctx); err != nil {
			return false, err
		}
		w.take()
		if w.sent.Value() == 0 {
			break
		}
	}
	more = w.left.Value() > 0
	if w.options.Result == resultPaths {
		if err := w.write(ctx, numbers); err != nil {
			return false, err
		}
	}
	w.at, w.begun, w.paths, w.lengths = int64(to), false, nil, nil
	return more, nil
}

// begin starts the walks of a round.
func (w *walking) begin(to int) {
	w.begun = true
	walks, at := w.options.Walks, int(w.at)
	if w.options.Result == resultPaths {
		w.paths = make([]uint32, (to-at)*walks*(w.options.Length+1))
		w.lengths = make([]uint32, (to-at)*walks)
	}
	first := w.part.First()
	for v := at; v < to; v++ {
		dense := first + uint32(v)
		for k := range walks {
			n := (v-at)*walks + k
			w.note(w.part.Rank, uint32(n), 0, dense)
			w.walk(uint64(w.places[dense])<<32|uint64(k), uint64(w.part.Rank)<<32|uint64(n), 0, dense)
		}
	}
}

// walk goes on from a vertex of this rank as far as it can.
func (w *walking) walk(name, home uint64, step int, dense uint32) {
	for step < w.options.Length {
		next, ok := w.choose(name, step, dense)
		if !ok {
			return
		}
		step++
		w.walked++
		w.note(int(home>>32), uint32(home), step, next)
		if r := w.part.Owner(next); r != w.part.Rank {
			w.walkers[r] = append(w.walkers[r], name, home, uint64(step)<<32|uint64(next))
			return
		}
		w.visits[next-w.part.First()]++
		dense = next
	}
}

// choose is the vertex that a step leads to.
func (w *walking) choose(name uint64, step int, dense uint32) (uint32, bool) {
	v := dense - w.part.First()
	from, to := w.part.Out.Offsets[v], w.part.Out.Offsets[v+1]
	if from == to {
		return 0, false
	}
	hash := mix(mix(mix(uint64(w.options.Seed))^name) + uint64(step))
	row := w.targets[from:to]
	if w.sums == nil {
		return row[hash%uint64(len(row))], true
	}
	sums := w.sums[from:to]
	total := sums[len(sums)-1]
	if total == 0 {
		return 0, false
	}
	aim := unit(hash) * total
	i := sort.Search(len(sums), func(i int) bool { return sums[i] > aim })
	return row[min(i, len(row)-1)], true
}

// note writes a step into its path, or sends it there.
func (w *walking) note(home int, walk uint32, step int, dense uint32) {
	switch {
	case w.options.Result != resultPaths:
	case home == w.part.Rank:
		w.set(walk, step, w.places[dense])
	default:
		w.steps[home] = append(w.steps[home], uint64(walk)<<32|uint64(step), uint64(w.places[dense]))
	}
}

func (w *walking) set(walk uint32, step int, place uint32) {
	w.paths[int(walk)*(w.options.Length+1)+step] = place
	w.lengths[walk] = max(w.lengths[walk], uint32(step)+1)
}

// send sends walkers and steps, which stay as they are until take: they are part
// of the state.
func (w *walking) send() (walkers int64, err error) {
	for r := range w.walkers {
		if err := w.sendList(r, blockWalkers, w.walkers[r]); err != nil {
			return 0, err
		}
		if err := w.sendList(r, blockSteps, w.steps[r]); err != nil {
			return 0, err
		}
		walkers += int64(len(w.walkers[r]) / walkerWords)
	}
	return walkers, nil
}

func (w *walking) sendList(r int, kind uint32, list []uint64) error {
	if len(list) == 0 {
		return nil
	}
	return w.peer.SendBlock(r, kind, bytesOf(list))
}

// take drops what was sent, and goes on with what came.
func (w *walking) take() {
	for r := range w.walkers {
		w.walkers[r], w.steps[r] = w.walkers[r][:0], w.steps[r][:0]
	}
	for block := range w.peer.Blocks() {
		list := columnOf[uint64](block.Data)
		switch block.Kind {
		case blockSteps:
			for ; len(list) > 0; list = list[2:] {
				w.set(uint32(list[0]>>32), int(uint32(list[0])), uint32(list[1]))
			}
		case blockWalkers:
			for ; len(list) > 0; list = list[walkerWords:] {
				dense := uint32(list[2])
				w.visits[dense-w.part.First()]++
				w.walk(list[0], list[1], int(list[2]>>32), dense)
			}
		}
	}
}

// write writes the paths of a round.
func (w *walking) write(ctx context.Context, numbers *numbers) error {
	names, err := numbers.names(ctx, w.peer, w.paths)
	if err != nil {
		return err
	}
	var key, value []byte
	for walk, n := range w.lengths {
		at := walk * (w.options.Length + 1)
		key = names.appendTo(key[:0], at)
		value = names.appendTo(value[:0], at)
		for i := 1; i < int(n); i++ {
			value = names.appendTo(append(value, ' '), at+i)
		}
		if err := w.peer.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Save keeps the round's paths and the walkers on their way.
func (r *randomWalk) Save(w *peer.SnapshotWriter) error {
	if err := r.saveGraph(w); err != nil {
		return err
	}
	begun := int64(0)
	if r.begun {
		begun = 1
	}
	if err := w.Put("walks", bytesOf([]int64{r.at, begun, int64(len(r.lengths)), int64(len(r.visits))}),
		bytesOf(r.visits), bytesOf(r.paths), bytesOf(r.lengths)); err != nil {
		return err
	}
	for _, lists := range [][][]uint64{r.walkers, r.steps} {
		for _, list := range lists {
			if err := w.Put("walkers", bytesOf([]int64{int64(len(list))}), bytesOf(list)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Load goes on from a checkpoint.
func (r *randomWalk) Load(s *peer.SnapshotReader) error {
	if err := r.loadGraph(s); err != nil {
		return err
	}
	head, rest, err := readSection(s, "walks", 4)
	if err != nil {
		return err
	}
	r.at, r.begun = head[0], head[1] != 0
	walks, visits := head[2], head[3]
	r.visits, rest = columnOf[uint64](rest[:8*visits]), rest[8*visits:]
	paths := walks * int64(r.options.Length+1)
	r.paths, r.lengths = columnOf[uint32](rest[:4*paths]), columnOf[uint32](rest[4*paths:])
	_, rest, err = readSection(s, "walkers", 0)
	if err != nil {
		return err
	}
	lists := columnOf[uint64](rest)
	r.walkers, r.steps = make([][]uint64, r.part.Size), make([][]uint64, r.part.Size)
	for _, into := range [][][]uint64{r.walkers, r.steps} {
		for i := range into {
			n := lists[0]
			into[i], lists = slices.Clone(lists[1:1+n]), lists[1+n:]
		}
	}
	return nil
}
