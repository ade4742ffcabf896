package multilang

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLedgerModel has a process do anything that is allowed, end at any time, and
// fail what it likes, until all is done. Each tuple that it is given is the
// number n, and whatever it emits names the numbers that it is anchored to: in the
// end what may be seen has to name each number once for each emit of the try that
// counted.
func TestLedgerModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger()
		number := map[*flight]int{}
		open := map[string]*flight{} // what the process has
		tries := map[int][]string{}  // what the last try of a number emitted, and is not taken back
		emitted := map[string]bool{} // all names
		give := func(f *flight) { open[f.id] = f }
		serial := 0
		for n := range rapid.IntRange(1, 6).Draw(t, "tuples") {
			f := l.give(nil)
			number[f] = n
			give(f)
		}
		back := func(again []*flight) {
			for _, f := range again {
				for id, o := range open {
					if o == f {
						delete(open, id)
					}
				}
				for _, name := range tries[number[f]] {
					delete(emitted, name)
				}
				delete(tries, number[f])
			}
			for _, f := range again {
				give(f)
			}
		}
		for step := 0; l.size() > 0; step++ {
			ids := make([]string, 0, len(open))
			for id := range open {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			action := rapid.IntRange(0, 9).Draw(t, "action")
			if step > 100 {
				action = 9
			}
			switch {
			case action < 5 && len(ids) > 0:
				anchors := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(ids), 1, 3).Draw(t, "anchors"))))
				serial++
				name := fmt.Sprint("e", serial)
				emitted[name] = true
				for _, id := range anchors {
					tries[number[open[id]]] = append(tries[number[open[id]]], name)
				}
				if err := l.emit(anchors, emission{tuple: tuple{[]byte(name)}}); err != nil {
					t.Fatal(err)
				}
			case action == 5 && len(ids) > 0:
				_, again, err := l.fail(rapid.SampledFrom(ids).Draw(t, "failed"))
				if err != nil {
					t.Fatal(err)
				}
				back(again)
			case action == 6:
				back(l.restart())
			case len(ids) > 0:
				id := rapid.SampledFrom(ids).Draw(t, "acked")
				if err := l.ack(id); err != nil {
					t.Fatal(err)
				}
				delete(open, id)
			}
		}
		seen := map[string]bool{}
		for _, e := range l.take() {
			name := string(e.tuple[0])
			if seen[name] || !emitted[name] {
				t.Errorf("%s is seen twice, or was taken back", name)
			}
			seen[name] = true
		}
		if len(seen) != len(emitted) || l.holding != 0 || len(l.order) != 0 {
			t.Errorf("%d emits are seen of %d; %d are held, %d tuples are in line", len(seen), len(emitted), l.holding, len(l.order))
		}
	})
}

// What is emitted without an anchor is held until all before it is acked.
func TestLoose(t *testing.T) {
	l := newLedger()
	a, b := l.give(nil), l.give(nil)
	if err := l.emit(nil, emission{}); err != nil {
		t.Fatal(err)
	}
	c := l.give(nil)
	for _, s := range []struct {
		id   string
		seen int
	}{{b.id, 0}, {a.id, 1}, {c.id, 0}} {
		if err := l.ack(s.id); err != nil {
			t.Fatal(err)
		}
		if n := len(l.take()); n != s.seen {
			t.Errorf("after the ack of %s %d may be seen, want %d", s.id, n, s.seen)
		}
	}
	if err := l.emit(nil, emission{}); err != nil || len(l.take()) != 1 {
		t.Error("with nothing under way it is held", err)
	}
}

// What is not under way cannot be acked, failed or anchored to.
func TestStray(t *testing.T) {
	l := newLedger()
	f := l.give(nil)
	if err := l.ack(f.id); err != nil {
		t.Fatal(err)
	}
	_, _, failed := l.fail(f.id)
	for _, err := range []error{l.ack(f.id), failed, l.emit([]string{f.id}, emission{}), l.ack("x")} {
		if !errors.Is(err, errProtocol) {
			t.Errorf("got %v", err)
		}
	}
}
