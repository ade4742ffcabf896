package gang

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	faults    = flag.Int("faults", 1500, "how many random fault schedules TestFaults plays")
	faultSeed = flag.Uint64("fault-seed", 1, "the first schedule that TestFaults plays")
	faultAll  = flag.Bool("fault-all", false, "whether TestFaults goes on after a fault")
)

// TestFaults plays random fault schedules, numbered so that parts of a long run
// can be played side by side and again:
//
//	GOGC=off GOMEMLIMIT=100MiB go test -run TestFaults ./core/gang -faults 1000000 -fault-seed 1
//
// A schedule that finds a fault is made as short as it gets.
func TestFaults(t *testing.T) {
	for seed := *faultSeed; seed < *faultSeed+uint64(*faults); seed++ {
		r := rand.New(rand.NewPCG(seed, 4))
		w := schedule(func(lo, hi int) int { return lo + r.IntN(hi-lo+1) })
		if w.fault != nil {
			t.Errorf("schedule %d: %v%s", seed, w.fault, shortest(w))
			if !*faultAll {
				return
			}
		}
	}
}

// TestFaultsRapid plays schedules that rapid draws, which steers to corners.
func TestFaultsRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := schedule(func(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, "roll") })
		if w.fault != nil {
			t.Fatal(w.fault)
		}
	})
}

// schedule plays one life of a world, from faults to rest to the end.
func schedule(roll dice) *faultyWorld {
	w := newFaultyWorld(roll)
	for range roll(10, 90) {
		w.happen()
		if roll.oneIn(16) {
			w.look()
		}
	}
	w.settle()
	w.clear()
	if w.fault == nil && roll.oneIn(6) {
		w.fault = w.told.replays(w.s)
	}
	return w
}

// look asks questions and looks ahead, neither of which may change anything.
func (w *faultyWorld) look() {
	if w.fault != nil {
		return
	}
	before := fingerprint(nil, w.s)
	for _, g := range w.s.ordered() {
		x := w.s.Why(g.Gang)
		if waits := g.phase == held || g.phase == waiting && (g.array == nil || len(g.array.waits) > 0); waits != x.Waits() && !g.up() {
			w.fault = fmt.Errorf("%s is %s, and why says: %v", g.Gang, g.phase, x)
		}
	}
	c := w.s.Clone()
	d, e := c.Clone(), Tick{w.now + int64(w.roll(0, 60_000))}
	if one, other := c.Step(e), d.Step(e); !reflect.DeepEqual(one, other) || !bytes.Equal(fingerprint(nil, c), fingerprint(nil, d)) {
		w.fault = fmt.Errorf("two clones differ:\n%v\n%v\n%v\n%v", one, c, other, d)
	}
	c.Step(Tick{c.now + 1<<40})
	for _, g := range c.ordered() {
		c.Step(Cancel{Gang: g.Gang})
	}
	if !bytes.Equal(fingerprint(nil, w.s), before) {
		w.fault = errors.Join(w.fault, fmt.Errorf("looking changed something:\n%v", w.s))
	}
	w.told.print = append(w.told.print, printed{len(w.told.log), before})
}

// told is what one life of a scheduler was told and answered, and how it stood
// from time to time.
type told struct {
	first  Config
	log    []Event
	result []Result
	print  []printed
}

// printed is a fingerprint after so many events.
type printed struct {
	after int
	bytes []byte
}

// replays reports whether what a scheduler was told, written and read again,
// gives the same answers and leads to the same state, byte for byte. That one
// was looked at in between, and this one is not.
func (w *told) replays(s *Scheduler) error {
	var lines []byte
	for _, e := range w.log {
		var err error
		if lines, err = AppendEvent(lines, e); err != nil {
			return err
		}
	}
	again, i := New(w.first), 0
	for line := range bytes.Lines(lines) {
		e, _, err := ParseEvent(line)
		if err != nil {
			return err
		}
		if r := again.Step(e); !reflect.DeepEqual(r, w.result[i]) {
			return fmt.Errorf("the log does not replay to the same answers: %T%+v\n%v\n%v", e, e, r, w.result[i])
		}
		for i++; len(w.print) > 0 && w.print[0].after == i; w.print = w.print[1:] {
			if !bytes.Equal(fingerprint(nil, again), w.print[0].bytes) {
				return fmt.Errorf("the log does not replay to the same state after %d events:\n%v", i, again)
			}
		}
	}
	if !bytes.Equal(fingerprint(nil, again), fingerprint(nil, s)) || again.String() != s.String() {
		return fmt.Errorf("the log does not replay to the same end:\n%v\n%v", again, s)
	}
	return nil
}

// shortest leaves out of a log what is not needed for a fault of its kind, and
// tells the rest.
func shortest(w *faultyWorld) string {
	kind := kindOf(w.fault)
	log := w.log
	fails := func(log []Event) error {
		s, m := New(Config{}), newModel()
		for _, e := range log {
			if err := play(&s, m, e, new(told)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fails(log); err == nil || kindOf(err) != kind {
		return "\n(the log alone does not show it)"
	}
	for size := len(log) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(log); {
			less := slices.Concat(log[:at], log[at+size:])
			if err := fails(less); err != nil && kindOf(err) == kind {
				log = less
			} else {
				at += size
			}
		}
	}
	var b strings.Builder
	s, m := New(Config{}), newModel()
	for _, e := range log {
		fmt.Fprintf(&b, "\n%T%+v", e, e)
		if _, ok := e.(restarted); !ok {
			c := s.Clone()
			for _, a := range c.Step(e).Actions {
				fmt.Fprintf(&b, "\n    %v", a)
			}
		}
		if err := play(&s, m, e, new(told)); err != nil {
			fmt.Fprintf(&b, "\n  ! %v", err)
			break
		}
	}
	return b.String()
}

// kindOf is a fault without its names and numbers.
func kindOf(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if i := strings.LastIndex(text, ": "); i > 0 && len(text)-i > 12 {
		text = text[i:]
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}
