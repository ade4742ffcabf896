package queue

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// names of the queues that the properties use; those that are drawn are a tree.
var paths = []string{"a", "a/x", "a/y", "b", "b/u", "b/u/v", "c"}

func anyAmounts(t *rapid.T, name string, most int64) Amounts {
	a := Amounts{}
	for _, r := range []string{"cpu", "memory", "gpu"} {
		if rapid.IntRange(0, 2).Draw(t, name+" has "+r) == 0 {
			a[r] = rapid.Int64Range(0, most).Draw(t, name+" "+r)
		}
	}
	return a
}

func anyConfig(t *rapid.T) Config {
	c := Config{
		HalfLife: rapid.SampledFrom([]int64{0, 640, 100_000}).Draw(t, "half-life"),
		Guard:    rapid.SampledFrom([]int64{0, 50, 1000}).Draw(t, "guard"),
	}
	for _, p := range append([]string{""}, paths...) {
		if p != "" && rapid.Bool().Draw(t, "without "+p) {
			continue
		}
		q := Queue{
			Name: p, Weight: rapid.Int64Range(0, 5).Draw(t, "weight"),
			Quota: anyAmounts(t, "quota", 30), Limit: anyAmounts(t, "limit", 60), MaxUser: anyAmounts(t, "user", 40),
			MaxRunning: rapid.SampledFrom([]int{0, 0, 5}).Draw(t, "running"), MaxPerUser: rapid.SampledFrom([]int{0, 0, 3}).Draw(t, "per user"),
			Order: rapid.SampledFrom([]string{"", "priority", "fifo", "short", "fair", "turn"}).Draw(t, "order"),
		}
		if p != "" {
			q.Borrow, q.Lend = anyAmounts(t, "borrow", 30), anyAmounts(t, "lend", 30)
		}
		c.Queues = append(c.Queues, q)
	}
	return c
}

// world is a tree under test and what runs.
type world struct {
	t       *Tree
	dims    core.Dimensions
	takers  []string
	now     int64
	next    uint64
	running []Claim
	pending map[uint64]Claim // elements in Count
}

func anyWorld(t *rapid.T) *world {
	w := &world{now: 1000, pending: map[uint64]Claim{}}
	var err error
	if w.t, err = New(anyConfig(t), &w.dims); err != nil {
		t.Fatal(err)
	}
	w.t.Total(core.Vector{100, 100})
	w.setTakers()
	return w
}

func (w *world) setTakers() {
	w.takers = nil
	for i := range w.t.queues {
		if len(w.t.nodes[i].children) == 0 {
			w.takers = append(w.takers, w.t.nodes[i].name)
		}
	}
}

func (w *world) anyClaim(t *rapid.T) Claim {
	w.next++
	n := rapid.Int64Range(1, 4).Draw(t, "size")
	shape := rapid.IntRange(0, 2).Draw(t, "shape")
	need := core.Vector{n, 1, 0}
	if shape > 0 {
		need = core.Vector{}
		need[shape] = n
	}
	return Claim{
		ID: w.next, Queue: rapid.SampledFrom(w.takers).Draw(t, "queue"), User: rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "user"),
		Priority: rapid.IntRange(0, 2).Draw(t, "priority"), Arrival: w.next, Since: w.now,
		Need: need, Class: uint64(n)*10 + uint64(shape), Count: rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "count"),
		Repair: rapid.IntRange(0, 9).Draw(t, "repair") == 0, Hint: n, Work: n * 1000 * int64(1+shape),
	}
}

func (w *world) add(t *rapid.T, c Claim) {
	if err := w.t.Add(c); err != nil {
		t.Fatal(err)
	}
	c.Count = max(c.Count, 1)
	w.pending[c.ID] = c
}

func (w *world) anyPending(t *rapid.T) (Claim, bool) {
	ids := make([]uint64, 0, len(w.pending))
	for id := range w.pending {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return Claim{}, false
	}
	slices.Sort(ids)
	return w.pending[rapid.SampledFrom(ids).Draw(t, "which")], true
}

func (w *world) refundAny(t *rapid.T) {
	if len(w.running) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.running)-1).Draw(t, "ends")
	c := w.running[i]
	w.running = slices.Delete(w.running, i, i+1)
	w.t.Refund(c)
	if rapid.IntRange(0, 3).Draw(t, "comes back") == 0 {
		if p, ok := w.pending[c.ID]; ok {
			c = p
			c.Count++
		}
		w.add(t, c)
	}
}

// step does one thing at random.
func (w *world) step(t *rapid.T, decide func(*Walk, Claim)) {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0, 1, 2, 3:
		w.add(t, w.anyClaim(t))
	case 4:
		if c, ok := w.anyPending(t); ok {
			if !w.t.Remove(c.ID) || w.t.Remove(c.ID) {
				t.Fatalf("claim %d is not there once", c.ID)
			}
			delete(w.pending, c.ID)
		}
	case 5, 6:
		w.refundAny(t)
	case 7:
		w.now += rapid.Int64Range(0, 300).Draw(t, "time")
	case 8:
		w.t.Total(core.Vector{rapid.Int64Range(50, 150).Draw(t, "cpus"), 100, rapid.Int64Range(0, 40).Draw(t, "gpus")})
	default:
		w.play(t, decide)
	}
}

// play makes one walk with a random end.
func (w *world) play(t *rapid.T, decide func(*Walk, Claim)) {
	walk := w.t.Walk(w.now)
	for range rapid.IntRange(0, 30).Draw(t, "length") {
		c, ok := walk.Next()
		if !ok {
			return
		}
		decide(walk, c)
	}
	walk.End()
}

// decide answers at random and keeps the books.
func (w *world) decide(t *rapid.T) func(*Walk, Claim) {
	return func(walk *Walk, c Claim) {
		switch rapid.IntRange(0, 3).Draw(t, "answer") {
		case 0:
			walk.Skip()
		case 1:
			walk.Pass()
		default:
			walk.Granted()
			w.granted(t, c)
		}
		if rapid.IntRange(0, 5).Draw(t, "meanwhile") == 0 {
			w.add(t, w.anyClaim(t))
		}
		if rapid.IntRange(0, 5).Draw(t, "also") == 0 {
			w.refundAny(t)
		}
	}
}

func (w *world) granted(t *rapid.T, c Claim) {
	p, ok := w.pending[c.ID]
	if !ok || p != c {
		t.Fatalf("granted %+v, which waits as %+v", c, p)
	}
	if p.Count--; p.Count == 0 {
		delete(w.pending, c.ID)
	} else {
		w.pending[c.ID] = p
	}
	if c.Count = 1; !c.Repair {
		w.running = append(w.running, c)
	}
}

// TestBooks: whatever happens, what is kept up to date is what would be worked
// out anew, and the tree knows what waits.
func TestBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.step(t, w.decide(t))
			if err := audit(w.t); err != nil {
				t.Fatal(err)
			}
			if w.t.Len() != len(w.pending) {
				t.Fatalf("%d wait, want %d", w.t.Len(), len(w.pending))
			}
		}
	})
}

// TestLimitsHold: laws Q6 and Q7. A grant leaves no limit broken that was not
// broken before, by a change of what runs only.
func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		decide := w.decide(t)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.step(t, decide)
			if err := within6(w.t); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// within6 names a quota or limit that is broken.
func within6(t *Tree) error {
	for i := range t.queues {
		n := &t.nodes[i]
		r := n.rules
		if !r.limit.fits(n.used) || r.MaxRunning > 0 && n.running > r.MaxRunning {
			return fmt.Errorf("queue %q uses %v in %d, limit %v", n.name, n.used, n.running, r.Limit)
		}
		for d := range t.width {
			if r.draws>>d&1 == 0 || n.parent != none && r.borrow.has>>d&1 == 0 {
				continue
			}
			if n.drawn[d] > r.share[d]+r.borrow.v[d] {
				return fmt.Errorf("queue %q draws %v of %v, borrows %v", n.name, n.drawn, r.share, r.Borrow)
			}
		}
		if i == root && r.quota.has != 0 {
			for d := range t.width {
				if r.quota.has>>d&1 == 1 && n.used[d] > r.deserves[d] {
					return fmt.Errorf("the cluster's quotas are %v and %v is used", r.deserves, n.used)
				}
			}
		}
	}
	for k, b := range t.accounts {
		r := t.nodes[k.queue()].rules
		if !r.maxUser.fits(b.used) || r.MaxPerUser > 0 && b.running > r.MaxPerUser {
			return fmt.Errorf("user %d of %q uses %v in %d", k.user(), r.Name, b.used, b.running)
		}
	}
	return nil
}

// fits reports whether v stays within c.
func (c *caps) fits(v core.Vector) bool {
	for i := range v {
		if c.has>>i&1 == 1 && v[i] > c.v[i] {
			return false
		}
	}
	return true
}
