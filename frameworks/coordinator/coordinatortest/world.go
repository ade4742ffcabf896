package coordinatortest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

var (
	errKilled  = errors.New("the coordinator was killed")
	errEndless = errors.New("the job does not end")
)

// patience is how long an attempt may take, by the bubble's clock.
const patience = time.Hour

// World is a host of one attempt with one gang. Its methods may be called from
// any goroutine of its bubble.
type World struct {
	t       *testing.T
	subject Subject
	faults  faults
	ctx     context.Context // of the executors
	end     context.CancelFunc

	mu         sync.Mutex
	generation int64
	events     chan core.Event // of the generation at work
	told       int             // events so far
	stop       context.CancelCauseFunc
	dead       bool // the generation at work is
	saved      []byte
	ranks      []*executor // nil while the gang is not up; nil for a lost rank
	giveWay    *time.Timer // of the gang that is up
	result     any         // the committed one
	shown      core.Progress
	steps      []int // who did each
	wg         sync.WaitGroup
}

// NewWorld makes a world without faults, within the caller's bubble.
func NewWorld(t *testing.T, s Subject) *World { return newWorld(t, s, faults{}) }

func newWorld(t *testing.T, s Subject, f faults) *World {
	w := &World{t: t, subject: s, faults: f}
	w.ctx, w.end = context.WithCancel(t.Context())
	return w
}

// Commit makes a result visible. A subject's coordinator commits by it (law W4).
func (w *World) Commit(ctx context.Context, g Generation, result any) error {
	h := g.Host.(*host)
	return h.step(func() error {
		if w.result != nil {
			if d := cmp.Diff(w.result, result); d != "" {
				w.t.Errorf("committed again with another result (-first +again):\n%s", d)
			}
		}
		w.result = result
		return context.Cause(ctx)
	})
}

// Committed is the result that is visible, nil for none.
func (w *World) Committed() any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.result
}

// Leave has the next generation begin with what one before is to have saved.
func (w *World) Leave(saved []byte) { w.saved = saved }

// Cancel tells the coordinator that a user wants the job to end.
func (w *World) Cancel(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(core.CancelAsked{Reason: reason})
}

// Shown is the progress that the user saw last.
func (w *World) Shown() core.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown
}

// Attempt runs generations until one lives to its end, then ends the executors.
// Call it once. The answer is the subject's.
func (w *World) Attempt() (any, error) {
	defer w.close()
	ctx, stop := context.WithTimeoutCause(w.t.Context(), patience, errEndless)
	defer stop()
	for {
		answer, err := w.generate(ctx)
		if errors.Is(err, errEndless) {
			w.t.Errorf("%s, and no end: %+v", patience, w.Shown())
		}
		w.mu.Lock()
		dead := w.dead
		w.mu.Unlock()
		if !dead {
			return answer, err
		}
	}
}

func (w *World) generate(ctx context.Context) (any, error) {
	w.mu.Lock()
	w.generation++
	w.dead = false
	w.events, w.told = make(chan core.Event, 10000), 0
	for _, x := range w.ranks {
		if x != nil {
			x.since = 0
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	w.stop = stop
	g := Generation{Number: w.generation, Saved: w.saved, Host: &host{world: w, generation: w.generation, events: w.events}}
	w.mu.Unlock()
	defer stop(nil)
	return w.subject.Coordinate(ctx, w, g)
}

func (w *World) close() {
	w.mu.Lock()
	w.leave()
	w.end()
	w.mu.Unlock()
	w.wg.Wait()
}

// tell tells the coordinator. w.mu is held.
func (w *World) tell(e core.Event) {
	w.told++
	w.events <- e
}

// count counts a step, and reports whether who dies at it. w.mu is held.
func (w *World) count(who, oneIn int) bool {
	w.steps = append(w.steps, who)
	f := &w.faults
	if f.killAt == len(w.steps) && f.victim == who {
		return true
	}
	return f.storm.strikes(oneIn)
}

// come starts the gang. w.mu is held.
func (w *World) come() {
	w.ranks = make([]*executor, w.subject.Size)
	for r := range w.ranks {
		w.start(r) // the event that tells of it comes next
	}
	if w.faults.storm.strikes(2) {
		w.notice()
	}
}

// leave ends the gang's executors. w.mu is held.
func (w *World) leave() {
	for _, x := range w.ranks {
		if x != nil {
			x.stop()
		}
	}
	w.ranks = nil
	if w.giveWay != nil {
		w.giveWay.Stop()
		w.giveWay = nil
	}
}

// notice has the gang give way: its place is taken away in a while, unless it
// is let go before, and it comes up again elsewhere. w.mu is held.
func (w *World) notice() {
	const left = 8 * time.Second
	gang := w.ranks
	taken := func(do func()) func() {
		return func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.ranks) > 0 && len(gang) > 0 && &w.ranks[0] == &gang[0] {
				do()
			}
		}
	}
	told := time.Duration(w.faults.storm.rnd.IntN(400)) * time.Millisecond
	w.giveWay = time.AfterFunc(told, taken(func() {
		w.tell(core.GiveWay{Gang: gangName, Until: time.Now().Add(left), Reason: "the storm"})
		w.giveWay = time.AfterFunc(left, taken(func() {
			w.leave()
			w.come()
			w.tell(core.GangUp{Gang: gangName, Size: len(w.ranks)})
		}))
	}))
}

// lost are the ranks without an executor. w.mu is held.
func (w *World) lost() []int {
	var list []int
	for r, x := range w.ranks {
		if x == nil {
			list = append(list, r)
		}
	}
	return slices.Clip(list)
}
