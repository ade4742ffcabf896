package queue

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// TestConfigIsADocument: what is written is read again, with units.
func TestConfigIsADocument(t *testing.T) {
	c := Config{Queues: []Queue{{Name: "a", Weight: 3, Quota: Amounts{"cpu": 1500, "memory": 64 << 30, "gpu": 8}, Lend: Amounts{}}}, Guard: 5}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"queues":[{"name":"a","weight":3,"quota":{"cpu":"1500m","gpu":8,"memory":"64Gi"}}],"guard":5}`
	if string(b) != want {
		t.Fatal(string(b))
	}
	var got Config
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Queues[0].Lend = (Amounts{}); !reflect.DeepEqual(got, c) {
		t.Fatalf("%+v, want %+v", got, c)
	}
	if err := json.Unmarshal([]byte(`{"queues": [{"quota": {"gpu": "some"}}]}`), &got); err == nil {
		t.Fatal("an amount that is no number was taken")
	}
}

// TestClassesAreAlike: a class cannot have two shapes.
func TestClassesAreAlike(t *testing.T) {
	tree := newTree(t, Config{}, core.Vector{10})
	if err := tree.Add(Claim{ID: 1, Need: core.Vector{1}}); err != nil {
		t.Fatal(err)
	}
	var e *core.Error
	if err := tree.Add(Claim{ID: 2, Need: core.Vector{2}}); !errors.As(err, &e) || e.Kind != core.Internal || tree.Len() != 1 {
		t.Fatal(err)
	}
}

// TestAFailedNewLearnsNothing: dims stay as they were.
func TestAFailedNewLearnsNothing(t *testing.T) {
	var dims core.Dimensions
	_, err := New(Config{Queues: []Queue{{Name: "a", Limit: Amounts{"gpu": 1}}}, Default: "b"}, &dims)
	if err == nil || dims.Len() != 2 {
		t.Fatalf("%v, and %d names", err, dims.Len())
	}
}

// TestChargeIsAGrant: what is found running counts as what was granted, and
// Resize adds to it.
func TestChargeIsAGrant(t *testing.T) {
	limited := Config{Queues: []Queue{{Name: "q", Quota: Amounts{"cpu": 10}, MaxUser: Amounts{"cpu": 8}}}, Default: "q"}
	granted, found := newTree(t, limited, core.Vector{20}), newTree(t, limited, core.Vector{20})
	c := Claim{ID: 1, Queue: "q", User: "ann", Need: core.Vector{2}, Count: 3}
	if err := granted.Add(c); err != nil {
		t.Fatal(err)
	}
	fill(granted, 0, &core.Vector{20})
	if err := found.Charge(c); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(granted.Shares(), found.Shares()) {
		t.Fatalf("%+v, want %+v", found.Shares(), granted.Shares())
	}
	one := Claim{Queue: "q", User: "ann", Need: core.Vector{2}}
	found.Resize(c, core.Vector{1})
	if found.Allows(one) || !granted.Allows(one) {
		t.Fatal("seven and two of eight")
	}
	found.Resize(c, core.Vector{-1})
	found.Refund(c)
	if err := audit(found); err != nil || !found.Allows(Claim{Queue: "q", Need: core.Vector{8}}) {
		t.Fatalf("%v, %+v", err, found.Shares())
	}
	if err := found.Charge(Claim{Queue: "nowhere"}); err != nil {
		t.Fatal(err) // it is the default's
	}
}

// TestEachTellsAll: every claim that waits is told of once, and first the head
// of each line is among the first of its queue.
func TestEachTellsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			w.step(t, w.decide(t))
		}
		var got, want []uint64
		w.t.Each(w.now, func(id uint64) bool { got = append(got, id); return true })
		for id := range w.pending {
			want = append(want, id)
		}
		slices.Sort(want)
		if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
			t.Fatalf("told of %v, want %v", sorted, want)
		}
		for _, c := range w.t.Heads() {
			if n, ok := w.t.Position(c.ID); !ok || n != w.repairs() {
				t.Fatalf("%+v is a head, and behind %d", c, n)
			}
		}
		if err := audit(w.t); err != nil {
			t.Fatal(err)
		}
	})
}

// repairs counts the elements that wait as repairs.
func (w *world) repairs() (n int) {
	for _, c := range w.pending {
		if c.Repair {
			n += c.Count
		}
	}
	return n
}

// TestWhatCanBeInTheWay: Limits, Preempts and MayPreempt follow the queues.
func TestWhatCanBeInTheWay(t *testing.T) {
	for _, c := range []struct {
		q                Queue
		limits, preempts bool
		lower            bool
	}{
		{q: Queue{}},
		{q: Queue{Limit: Amounts{"gpu": 1}}, limits: true},
		{q: Queue{MaxPerUser: 1}, limits: true},
		{q: Queue{Quota: Amounts{"cpu": 1}}, limits: true, preempts: true},
		{q: Queue{Quota: Amounts{"cpu": 1}, Reclaim: "never"}, limits: true},
		{q: Queue{PreemptLower: true}, preempts: true, lower: true},
	} {
		c.q.Name = "q"
		tree := newTree(t, Config{Queues: []Queue{c.q}}, core.Vector{1})
		if tree.Limits() != c.limits || tree.Preempts() != c.preempts || tree.MayPreempt("q") != c.lower || tree.MayPreempt("r") {
			t.Errorf("%+v: limits %v, preempts %v", c.q, tree.Limits(), tree.Preempts())
		}
	}
}

// TestIdleAccountsGo: users who have nothing any more are forgotten.
func TestIdleAccountsGo(t *testing.T) {
	idleAccountsGo(t, 1000)
	idleAccountsGo(t, 0)
}

func idleAccountsGo(t *testing.T, halfLife int64) {
	tree := newTree(t, Config{Queues: []Queue{{Name: "q", Order: "fair"}}, HalfLife: halfLife, Default: "q"}, core.Vector{10})
	for i := range 5000 {
		c := Claim{User: strconv.Itoa(i), Need: core.Vector{1}}
		if err := tree.Charge(c); err != nil {
			t.Fatal(err)
		}
		tree.Refund(c)
		tree.Advance(int64(i) * 10_000)
	}
	tree.Advance(1 << 40)
	if len(tree.accounts) > 1100 || len(tree.members) > 300 || len(tree.nodes) > 300 {
		t.Fatalf("%d accounts, %d users, %d nodes", len(tree.accounts), len(tree.members), len(tree.nodes))
	}
}
