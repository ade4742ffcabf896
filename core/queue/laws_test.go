package queue

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

func newTree(t interface{ Fatal(...any) }, cfg Config, total core.Vector) *Tree {
	tree, err := New(cfg, &core.Dimensions{})
	if err != nil {
		t.Fatal(err)
	}
	tree.Total(total)
	return tree
}

// fill grants what is offered while it fits into free, and returns it.
func fill(t *Tree, now int64, free *core.Vector) (granted []Claim) {
	w := t.Walk(now)
	for {
		c, ok := w.Next()
		if !ok {
			return granted
		}
		if !c.Need.Fits(*free) {
			w.Skip()
			continue
		}
		w.Granted()
		*free = free.Sub(c.Need)
		c.Count = 1
		granted = append(granted, c)
	}
}

// TestSharesFollowWeights: law Q5 under saturation. Whoever was granted last
// was not ahead of any sibling that still waits.
func TestSharesFollowWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cfg Config
		for _, name := range []string{"a", "b", "a/x", "a/y", "b/u", "b/v", "b/w"} {
			cfg.Queues = append(cfg.Queues, Queue{Name: name, Weight: rapid.Int64Range(1, 9).Draw(t, "weight")})
		}
		tree := newTree(t, cfg, core.Vector{10_000, 10_000})
		var id uint64
		for _, q := range []string{"a/x", "a/y", "b/u", "b/v", "b/w"} {
			size := rapid.Int64Range(1, 50).Draw(t, "size")
			id++
			err := tree.Add(Claim{ID: id, Queue: q, Arrival: id, Count: 20_000, Need: core.Vector{size, 1}})
			if err != nil {
				t.Fatal(err)
			}
		}
		walk := tree.Walk(1) // until one does not fit, so that nobody takes what another left
		for free := int64(10_000); free >= 0; {
			c, _ := walk.Next()
			if free -= c.Need[0]; free >= 0 {
				walk.Granted()
			}
		}
		walk.End()
		shares := map[string]Share{}
		for _, s := range tree.Shares() {
			shares[s.Queue] = s
		}
		for _, siblings := range [][]string{{"a", "b"}, {"a/x", "a/y"}, {"b/u", "b/v", "b/w"}} {
			for _, p := range siblings {
				for _, q := range siblings {
					x, y := shares[p], shares[q]
					if (x.Used[0]-50)*y.Weight > (y.Used[0]+1)*x.Weight {
						t.Fatalf("%s of weight %d uses %d, %s of weight %d uses %d", p, x.Weight, x.Used[0], q, y.Weight, y.Used[0])
					}
				}
			}
		}
	})
}

// TestOtherResourcesAreNotHeldAgainst is the example of the H-DRF paper: b/cpu
// holds all CPUs, and b/gpu has its half of the GPUs all the same; and while
// b/cpu waits for more, too.
func TestOtherResourcesAreNotHeldAgainst(t *testing.T) {
	tree := newTree(t, Config{Queues: []Queue{{Name: "a"}, {Name: "b/cpu"}, {Name: "b/gpu"}}}, core.Vector{0: 100, 2: 100})
	for i, c := range []Claim{
		{Queue: "b/cpu", Need: core.Vector{0: 1}}, {Queue: "a", Need: core.Vector{2: 1}}, {Queue: "b/gpu", Need: core.Vector{2: 1}},
	} {
		c.ID, c.Arrival, c.Count = uint64(i+1), uint64(i+1), 1000
		if err := tree.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	fill(tree, 1, &core.Vector{0: 100})
	fill(tree, 2, &core.Vector{2: 100})
	if a, b := tree.Shares()[1].Used, tree.Shares()[2].Used; a != (core.Vector{2: 50}) || b != (core.Vector{0: 100, 2: 50}) {
		t.Fatalf("a uses %v, b %v", a, b)
	}
}

// TestUsersShare: in a fair queue users share alike, however much each asks.
func TestUsersShare(t *testing.T) {
	tree := newTree(t, Config{Queues: []Queue{{Name: "q", Order: "fair"}}, Default: "q"}, core.Vector{90})
	for i, user := range []string{"ann", "ann", "ann", "bob", "cho"} {
		if err := tree.Add(Claim{ID: uint64(i + 1), User: user, Arrival: uint64(i), Priority: 10 - i, Count: 100, Need: core.Vector{1}}); err != nil {
			t.Fatal(err)
		}
	}
	of := map[string]int{}
	for _, c := range fill(tree, 1, &core.Vector{90}) {
		of[c.User]++
	}
	if of["ann"] != 30 || of["bob"] != 30 || of["cho"] != 30 {
		t.Fatal(of)
	}
}

// TestHistory compares the average with the integral in floating point.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		half := rapid.SampledFrom([]int64{64, 1000, 3_600_000, maxHalfLife}).Draw(t, "half-life")
		tree := newTree(t, Config{Queues: []Queue{{Name: "q"}}, HalfLife: half, Default: "q"}, core.Vector{1000})
		step := tree.stepLength()
		c := Claim{Queue: "q", Need: core.Vector{0}}
		var want, used float64
		now := int64(0)
		decay := math.Exp2(-1 / float64(perHalfLife))
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			// Until the end of the step, then whole steps, so that the average
			// over a step is that of its parts.
			more := rapid.Int64Range(-int64(used), 1000-int64(used)).Draw(t, "more")
			tree.Resize(c, core.Vector{more})
			used += float64(more)
			steps := rapid.Int64Range(1, 300).Draw(t, "steps")
			now += steps * step
			tree.Advance(now)
			want = used/1000 + (want-used/1000)*math.Pow(decay, float64(steps))
			got := float64(tree.nodes[tree.number["q"]].past[0]) / (1 << pastBits)
			if math.Abs(got-want) > 1e-6 {
				t.Fatalf("after %d ms: %v, want %v", now, got, want)
			}
		}
	})
}

// TestHistoryMakesUp: who had nothing while another had all comes first until
// the past is even, and then both have half.
func TestHistoryMakesUp(t *testing.T) {
	const half = 64_000
	tree := newTree(t, Config{Queues: []Queue{{Name: "a"}, {Name: "b"}}, HalfLife: half}, core.Vector{100})
	add := func(id uint64, queue string) {
		if err := tree.Add(Claim{ID: id, Queue: queue, Arrival: id, Count: 1_000_000, Need: core.Vector{1}}); err != nil {
			t.Fatal(err)
		}
	}
	var running []Claim
	turn := func(now int64) {
		tree.Advance(now)
		for _, c := range running {
			tree.Refund(c)
		}
		running = fill(tree, now, &core.Vector{100})
	}
	now := int64(0)
	play := func(halfLives int) Share {
		for range halfLives * perHalfLife {
			now += half / perHalfLife
			turn(now)
		}
		return tree.Shares()[2]
	}
	add(1, "a")
	play(10)
	add(2, "b")
	if b := play(1); b.Used[0] < 60 {
		t.Fatalf("b uses %d soon after it came", b.Used[0])
	}
	if b := play(20); b.Used[0] < 49 || b.Used[0] > 51 {
		t.Fatalf("b uses %d in the long run", b.Used[0])
	}
}

// crowded is a tree in which something is too small for all that come: a limit,
// a quota, a user's limit, or the number that may run.
func crowded(t *rapid.T) *Tree {
	ten := Amounts{"cpu": 10}
	q := Queue{Name: "q"}
	switch rapid.SampledFrom([]string{"limit", "quota", "user", "running", "per user", "pool", "borrow"}).Draw(t, "kind") {
	case "limit":
		q.Limit = ten
	case "quota":
		q.Quota = ten
	case "user":
		q.MaxUser = ten
	case "running":
		q.MaxRunning = 2
	case "per user":
		q.MaxPerUser = 2
	case "pool":
		return newTree(t, Config{Guard: 10, Queues: []Queue{{Name: "q"}, {Name: "r"}, {Name: "", Quota: ten}}}, core.Vector{100})
	case "borrow":
		q.Quota, q.Borrow = Amounts{"cpu": 4}, Amounts{"cpu": 6}
		return newTree(t, Config{Guard: 10, Queues: []Queue{q, {Name: "r", Quota: ten}}}, core.Vector{100})
	}
	return newTree(t, Config{Guard: 10, Queues: []Queue{q, {Name: "r"}}}, core.Vector{100})
}

// TestNobodyStarves: laws Q9 and Q10. A claim past the guard that could run at
// all is offered once what ran before has ended, though smaller ones of a higher
// priority always wait and would take all that ends.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := crowded(t)
		add := func(c Claim) {
			if err := tree.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		add(Claim{ID: 1, Queue: "q", Arrival: 1, Class: 1, Need: core.Vector{rapid.Int64Range(6, 10).Draw(t, "size")}})
		ends := map[int64][]Claim{}
		for now := int64(0); now < 20; now++ {
			tree.Advance(now)
			for i, q := range []string{"q", "r"} {
				id := uint64(2 + 2*int(now) + i)
				add(Claim{ID: id, Queue: q, Arrival: id, Since: now, Priority: 9, Count: 20, Class: 2, Need: core.Vector{1}})
			}
			for _, c := range ends[now] {
				tree.Refund(c)
			}
			walk := tree.Walk(now)
			for granted := 0; granted < 50; granted++ {
				c, ok := walk.Next()
				if ok && c.ID == 1 {
					return
				}
				walk.Granted()
				end := now + rapid.Int64Range(1, 4).Draw(t, "run time")
				c.Count = 1
				ends[end] = append(ends[end], c)
			}
			walk.End()
		}
		t.Fatalf("it is not offered: %+v", tree.Admits(Claim{Queue: "q", Need: core.Vector{6}}))
	})
}

// TestWhatIsLentCanBeReclaimed: if a claim within its queue's quota lacks some
// of it, those named owe at least as much.
func TestWhatIsLentCanBeReclaimed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.step(t, func(walk *Walk, c Claim) { walk.Granted(); w.granted(t, c) })
		}
		c := w.anyClaim(t)
		c.Repair = false
		queue, err := w.t.find(c.Queue)
		if err != nil {
			t.Fatal(err)
		}
		n := &w.t.nodes[queue]
		var owed core.Vector
		for _, d := range w.t.Reclaimable(c) {
			owed = owed.Add(d.Over)
			borrows := w.t.borrows(w.t.number[d.Queue])
			if d.Queue == c.Queue || borrows.Min(d.Over) != d.Over {
				t.Fatalf("%+v is named, which borrows %v", d, borrows)
			}
		}
		for d := range c.Need {
			if n.rules.draws>>d&1 == 1 && c.Need[d] > 0 && n.drawn[d]+c.Need[d] > n.rules.share[d] {
				if owed != (core.Vector{}) {
					t.Fatalf("%+v would borrow and is owed %v", c, owed)
				}
				return
			}
		}
		for _, r := range w.t.Admits(c) {
			short := r.Used + r.Need - r.Limit
			if (r.Kind == "quota" || r.Kind == "borrow") && owed[r.Resource] < short {
				t.Fatalf("%+v lacks %d: %+v; owed are %v; %+v", c, short, r, owed, w.t.Shares())
			}
		}
	})
}

// TestOwnersReclaim: where borrowers hold all, the owner of a part is told who,
// and of how much.
func TestOwnersReclaim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cfg Config
		var sum int64
		for _, name := range []string{"own", "a", "b/x", "b/y"} {
			n := rapid.Int64Range(1, 20).Draw(t, "quota")
			sum += n
			cfg.Queues = append(cfg.Queues, Queue{Name: name, Quota: Amounts{"cpu": n}})
		}
		tree := newTree(t, cfg, core.Vector{100})
		for i, name := range []string{"a", "b/x", "b/y"} {
			err := tree.Add(Claim{ID: uint64(i), Queue: name, Arrival: uint64(i), Need: core.Vector{1}, Count: rapid.IntRange(1, 100).Draw(t, "wait")})
			if err != nil {
				t.Fatal(err)
			}
		}
		used := int64(len(fill(tree, 1, &core.Vector{100})))
		c := Claim{Queue: "own", Need: core.Vector{rapid.Int64Range(1, cfg.Queues[0].Quota["cpu"]).Draw(t, "need")}}
		short, owed := used+c.Need[0]-sum, int64(0)
		for _, d := range tree.Reclaimable(c) {
			owed += d.Over[0]
			if borrows := tree.borrows(tree.number[d.Queue]); d.Over != borrows || d.Lower {
				t.Fatalf("%+v, borrows %v", d, borrows)
			}
		}
		if short <= 0 && owed != 0 || short > 0 && owed < short {
			t.Fatalf("%d of %d in use, %v are asked for, %d are owed", used, sum, c.Need[0], owed)
		}
		c.Need[0] = cfg.Queues[0].Quota["cpu"] + 1
		if d := tree.Reclaimable(c); d != nil {
			t.Fatalf("%v may be taken back beyond the quota", d)
		}
	})
}

// script is calls that can be made again on another tree.
type script []func(*Tree) string

func anyScript(t *rapid.T, w *world) (s script) {
	for range rapid.IntRange(0, 40).Draw(t, "calls") {
		switch rapid.IntRange(0, 3).Draw(t, "call") {
		case 0, 1:
			c := w.anyClaim(t)
			s = append(s, func(tree *Tree) string { return fmt.Sprint(tree.Add(c)) })
		case 2:
			id := rapid.Uint64Range(0, w.next).Draw(t, "id")
			s = append(s, func(tree *Tree) string { return fmt.Sprint(tree.Remove(id)) })
		default:
			w.now += rapid.Int64Range(0, 300).Draw(t, "time")
			now, every := w.now, rapid.IntRange(1, 3).Draw(t, "every")
			s = append(s, func(tree *Tree) string { return walkEvery(tree, now, every) })
		}
	}
	return s
}

// walkEvery grants each so-manieth claim and passes or skips the others.
func walkEvery(tree *Tree, now int64, every int) (out string) {
	w := tree.Walk(now)
	for i := 0; ; i++ {
		c, ok := w.Next()
		if !ok {
			return out
		}
		out += fmt.Sprintln(c)
		switch {
		case i%every == 0:
			w.Granted()
		case i%2 == 0:
			w.Pass()
		}
	}
}

func (s script) play(tree *Tree) (out string) {
	for _, call := range s {
		out += call(tree)
	}
	return out + fmt.Sprintln(tree.Shares())
}

// TestSameCallsSameAnswers: two trees, and a clone made half way, answer the
// same calls alike; and what happens to a clone does not happen to the tree.
func TestSameCallsSameAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		again := newTree(t, w.t.cfg, core.Vector{100, 100})
		first, second := anyScript(t, w), anyScript(t, w)
		if a, b := first.play(w.t), first.play(again); a != b {
			t.Fatalf("once\n%s\nthen\n%s", a, b)
		}
		before, copied := w.t.Clone(), w.t.Clone()
		a := second.play(copied)
		if !reflect.DeepEqual(before.Shares(), w.t.Shares()) || walkEvery(w.t.Clone(), w.now, 1) != walkEvery(before, w.now, 1) {
			t.Fatal("the clone shares something")
		}
		if b := second.play(w.t); a != b {
			t.Fatalf("the clone\n%s\nthe tree\n%s", a, b)
		}
	})
}

// TestConfigure: the same queues again change nothing, other queues keep what
// waits and runs, and what has no place any more refuses the change.
func TestConfigure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			w.step(t, w.decide(t))
		}
		before := w.t.Clone()
		if err := w.t.Configure(w.t.cfg, &w.dims); err != nil {
			t.Fatal(err)
		}
		if a, b := before.Shares(), w.t.Shares(); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v, before %+v", b, a)
		}
		if before.cfg.HalfLife == 0 {
			if a, b := walkEvery(before.Clone(), w.now, 1), walkEvery(w.t.Clone(), w.now, 1); a != b {
				t.Fatalf("%s, before\n%s", b, a)
			}
		}
		pending, running := w.t.nodes[root].pending, w.t.nodes[root].running
		_ = w.t.Configure(anyConfig(t), &w.dims)
		if err := audit(w.t); err != nil {
			t.Fatal(err)
		}
		if n := &w.t.nodes[root]; n.pending != pending || n.running != running || w.t.Len() != len(w.pending) {
			t.Fatalf("%d pending, %d running, before %d and %d", n.pending, n.running, pending, running)
		}
	})
}
