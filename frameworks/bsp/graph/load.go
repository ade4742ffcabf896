package graph

import (
	"context"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Load reads the peers' splits and makes each rank's partition. All ranks call
// it with the same c and need. It takes several Syncs, the last of them when the
// partition is done, so that what follows is no part of the load; checkpoints are
// held meanwhile.
//
// Errors are *core.Error for records that cannot be read, with file and offset,
// and the peer's.
func Load(ctx context.Context, p *peer.Peer, c Config, need Need) (*Partition, error) {
	c.Defaults()
	p.HoldCheckpoints(true)
	defer p.HoldCheckpoints(false)
	p.Loading(true)
	defer p.Loading(false)
	l := &loading{p: p, c: c, need: need}
	defer l.close()
	part, err := l.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.Sync(ctx); err != nil {
		_ = part.Close()
		return nil, err
	}
	return part, nil
}

// loading is the state of Load, one step after the other.
type loading struct {
	p    *peer.Peer
	c    Config
	need Need

	text    bool // ids are texts
	readers []*reader
	places  [][]uint32 // of the readers' numbers; nil where a number is its own place
	mine    names      // the ids of a range of places that this rank knows
	named   bool       // ids are not their own places
	space   int        // places are below
	count   counts
	numbers *numbering

	part    *Partition
	out, in *builder
	cuts    cutRows
}

// names is the ids of places first, first+1, ...: one of ints and texts; both
// are nil where places are ids.
type names struct {
	first uint32
	ints  []int64
	texts []string
}

func (n *names) len() int { return len(n.ints) + len(n.texts) }

// each is the bytes of an id in the mean; 0 where places are ids.
func (n *names) each() int64 {
	switch {
	case n.ints != nil:
		return 8
	case len(n.texts) == 0:
		return 0
	}
	bytes := 0
	for _, t := range n.texts {
		bytes += len(t)
	}
	return 16 + int64(bytes/len(n.texts))
}

func (l *loading) load(ctx context.Context) (*Partition, error) {
	for _, step := range []func(context.Context) error{
		l.peek, l.read, l.place, l.fit, l.tally, l.number, l.reckon, l.exchange, l.name,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l.finish()
}

func (l *loading) close() {
	for _, r := range l.readers {
		r.log.close()
	}
	for _, b := range []*builder{l.out, l.in} {
		if b != nil {
			b.close()
		}
	}
}

// peek finds out whether ids are texts, where nobody said so: they are if the
// first edge of any rank has one that is no integer, or, without edges, the first
// vertex.
func (l *loading) peek(ctx context.Context) error {
	if l.c.IDs != Auto {
		l.text = l.c.IDs == Strings
		return nil
	}
	edges, texts := peer.Any(l.p, "graph: there are edges"), peer.Any(l.p, "graph: ids are texts")
	alone := peer.Any(l.p, "graph: vertices are texts")
	text, found, err := firstOf(ctx, peekEdges(l.c, l.p.Reading()), l.p.Splits())
	if err != nil {
		return err
	}
	edges.Add(found)
	texts.Add(text)
	if !found {
		if text, _, err = firstOf(ctx, peekVertices(l.c.Vertices), l.c.Vertices.Splits); err != nil {
			return err
		}
		alone.Add(text)
	}
	if err := l.p.Sync(ctx); err != nil {
		return err
	}
	l.text = texts.Value() || !edges.Value() && alone.Value()
	return nil
}

func firstOf(ctx context.Context, p peek, splits []input.Split) (text, found bool, err error) {
	for _, s := range splits {
		if text, found, err := p.first(ctx, s); found || err != nil {
			return text, found, err
		}
	}
	return false, false, nil
}

// read reads all splits, Cores at a time.
func (l *loading) read(ctx context.Context) error {
	cores := l.p.Cores()
	budget := l.logBudget() / int64(cores)
	for range cores {
		l.readers = append(l.readers, newReader(l.c, l.p.Reading(), l.text, budget, l.p.Scratch()))
	}
	type work struct {
		split    input.Split
		vertices bool
	}
	var todo []work
	for _, s := range l.p.Splits() {
		todo = append(todo, work{split: s})
	}
	for i, s := range l.c.Vertices.Splits {
		if i%l.p.Size() == l.p.Rank() {
			todo = append(todo, work{s, true})
		}
	}
	// Each reader has the splits that are its own by their number: what it
	// logs, and so the order of what follows, is the same each time.
	errs := make([]error, cores)
	var all sync.WaitGroup
	for i, r := range l.readers {
		all.Go(func() {
			for at := i; at < len(todo) && errs[i] == nil; at += cores {
				if w := todo[at]; w.vertices {
					errs[i] = r.readVertices(ctx, w.split, l.c.Vertices.Reading)
				} else {
					errs[i] = r.read(ctx, w.split)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for _, r := range l.readers {
		l.p.ReadRecords(r.taken)
	}
	return nil
}

// logBudget is the memory for edges as they were read. A third stays for the
// rows, which are as large.
func (l *loading) logBudget() int64 { return l.p.Memory() / 3 }

// place finds the places of all ids in their order. Integers that lie close
// enough together are places themselves.
func (l *loading) place(ctx context.Context) error {
	most := peer.Max[int64](l.p, "graph: greatest id")
	edges := peer.Sum[int64](l.p, "graph: records")
	apart := peer.Any(l.p, "graph: ids have names")
	most.Add(-1)
	for _, r := range l.readers {
		edges.Add(r.logged)
		apart.Add(r.text || r.ints != nil)
		if r.logged > 0 {
			most.Add(int64(r.most))
		}
	}
	if err := l.p.Sync(ctx); err != nil {
		return err
	}
	l.places = make([][]uint32, len(l.readers))
	// Counting ids that do not occur costs a few bytes each; naming those that
	// do costs tens.
	if !apart.Value() && most.Value() <= 4*edges.Value()+1<<16 {
		l.space = int(most.Value()) + 1
		return nil
	}
	l.named = true
	if l.text {
		return l.placeTexts(ctx)
	}
	return l.placeInts(ctx)
}

func (l *loading) placeInts(ctx context.Context) error {
	d := &dictionary[int64]{codec: intKeys}
	for _, r := range l.readers {
		if r.ints == nil {
			if err := r.nameInts(); err != nil {
				return err
			}
		}
		d.lists = append(d.lists, r.ints.keys)
		r.ints = newIntNames()
	}
	if err := d.resolve(ctx, l.p); err != nil {
		return err
	}
	l.places, l.space = d.places, int(d.starts[l.p.Size()])
	l.mine = names{first: d.starts[l.p.Rank()], ints: d.mine}
	return nil
}

func (l *loading) placeTexts(ctx context.Context) error {
	d := &dictionary[string]{codec: textKeys}
	for _, r := range l.readers {
		d.lists = append(d.lists, r.texts.keys)
		r.texts = newStringNames()
	}
	if err := d.resolve(ctx, l.p); err != nil {
		return err
	}
	l.places, l.space = d.places, int(d.starts[l.p.Size()])
	l.mine = names{first: d.starts[l.p.Rank()], texts: d.mine}
	return nil
}

// fit sees that what the load holds by place leaves the logs their memory, or
// gives them less (law G5).
func (l *loading) fit(context.Context) error {
	names := int64(0)
	for _, p := range l.places {
		names += int64(4 * len(p))
	}
	held := account{host: l.p, size: l.p.Size(), fixed: l.placeBytes() * int64(l.space),
		shared: names + l.mine.each()*int64(l.mine.len())}
	if err := held.check(l.space); err != nil {
		return err
	}
	budget := min(l.logBudget(), held.left()) / int64(len(l.readers))
	for _, r := range l.readers {
		if err := r.log.shrink(budget); err != nil {
			return err
		}
	}
	return nil
}

// placeBytes is what the load holds for each place while it numbers them: counts,
// degrees, the order of them, ranks and dense ids.
func (l *loading) placeBytes() int64 {
	if l.c.Directed {
		return 22
	}
	return 18
}

// number gives the vertices their dense ids.
func (l *loading) number(context.Context) error {
	degree := make([]uint32, l.space)
	entries := int64(0)
	in, out := l.stored()
	for v := range degree {
		d := uint64(0)
		if out {
			d += uint64(l.count.out[v] &^ present)
		}
		if in && l.c.Directed {
			d += uint64(l.count.in[v])
		}
		entries += int64(d)
		if l.count.out[v]&present != 0 {
			degree[v] = uint32(min(d+1, uint64(absent)))
		}
	}
	cut := 0.0
	if l.need.Cut && l.p.Size() > 1 {
		if cut = l.need.CutFrom; cut == 0 {
			cut = hubShare / float64(l.p.Size())
		}
	}
	l.numbers = number(degree, l.p.Size(), l.c.Partition, cut, mix)
	l.part = &Partition{
		Rank: l.p.Rank(), Size: l.p.Size(), Bounds: l.numbers.bounds, Cut: l.numbers.cut,
		Directed: l.c.Directed, Weighted: l.c.Weighted,
	}
	if in && out && l.c.Directed {
		entries /= 2
	}
	l.part.Entries = entries
	if l.part.Total() == 0 && l.space > 0 {
		return core.Errorf(core.Internal, "a graph of %d places has no vertex", l.space).At("graph")
	}
	return nil
}

// reckon refuses a graph of which the program would hold more by vertex than
// there is memory.
func (l *loading) reckon(context.Context) error {
	return l.part.account.open(l.p, l.part, l.need.Room, l.directions(), l.mine.each())
}

// directions is how many CSRs are built.
func (l *loading) directions() (n int) {
	in, out := l.stored()
	for _, is := range []bool{in, out} {
		if is {
			n++
		}
	}
	return n
}

// stored is which directions' rows are built. Of an undirected graph both are
// the same.
func (l *loading) stored() (in, out bool) {
	if !l.c.Directed {
		return false, l.need.In || l.need.Out
	}
	return l.need.In, l.need.Out
}

// mix spreads places over the ranks (splitmix64).
func mix(v uint32) uint64 {
	z := uint64(v) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// finish puts the rows in order.
func (l *loading) finish() (*Partition, error) {
	build := func(b **builder) (*CSR, error) {
		if *b == nil {
			return nil, nil
		}
		c, r, err := (*b).finish()
		if err != nil {
			return nil, err
		}
		*b = nil
		l.part.regions = append(l.part.regions, r)
		return c, nil
	}
	var err error
	if l.part.Out, err = build(&l.out); err == nil {
		l.part.In, err = build(&l.in)
	}
	if err != nil {
		_ = l.part.Close()
		return nil, err
	}
	l.part.CutOut, l.part.CutIn = l.cuts.out.csr(l.part.Total()), l.cuts.in.csr(l.part.Total())
	if !l.c.Directed {
		l.part.In, l.part.CutIn = l.part.Out, l.part.CutOut
	}
	l.part.account.hold(l.part)
	return l.part, nil
}
