package coordinate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// worker is an executor of the chaos: what it was sent, runs, holds and has
// said that has not arrived.
type worker struct {
	up      bool
	inbox   []task.Down
	running []*task.Run
	done    []task.Done
	outbox  []task.Up
}

// chaos is a gang, a host and a coordinator that dies. Every method is one
// thing that may happen.
type chaos struct {
	t          *rapid.T
	cfg        Config
	m          *Machine
	now        int64
	durable    State
	workers    []*worker
	gangUp     bool
	queue      []Event // to the coordinator, in order; lost when it dies
	unsaved    []State
	committing []output.Part
	committed  []output.Part
	visible    bool
	ended      bool
	err        error
	started    map[ref]bool // law M3
	random     bool         // map tries answer differently each time
	skewed     bool         // nearly all is in partition 0
	salt       uint64
	shrinks    bool            // the last rank is to go
	files      map[string]bool // exchange files that are there; those of a gang go with it
}

func newChaos(t *rapid.T) *chaos {
	c := &chaos{t: t, started: map[ref]bool{}, files: map[string]bool{}}
	c.cfg = Config{
		Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Attempts: 1 << 20, Timeout: time.Minute,
		Speculation: rapid.Bool().Draw(t, "speculation"), Range: rapid.Bool().Draw(t, "range"),
		Grace: 30 * time.Second, Outlives: rapid.Bool().Draw(t, "outlives"),
	}
	c.random = rapid.Bool().Draw(t, "random map output")
	c.skewed = rapid.Bool().Draw(t, "skewed")
	c.durable.Partitions = rapid.IntRange(0, 6).Draw(t, "partitions")
	for i := range rapid.IntRange(0, 12).Draw(t, "splits") {
		c.durable.Splits = append(c.durable.Splits, input.Split{Bytes: int64(10 + i)})
	}
	for range rapid.IntRange(1, 4).Draw(t, "size") {
		c.workers = append(c.workers, &worker{up: true})
	}
	c.m = New(c.cfg, c.durable)
	c.step(Begin{})
	return c
}

func (c *chaos) step(e Event) {
	for _, f := range c.m.Step(c.now, e) {
		switch f := f.(type) {
		case Send:
			c.sent(f)
		case Save:
			c.unsaved = append(c.unsaved, f.State)
		case Commit:
			parts := append([]output.Part{}, f.Parts...)
			if c.committed != nil {
				if d := cmp.Diff(c.committed, parts); d != "" {
					c.t.Fatalf("a commit was repeated with other parts:\n%s", d)
				}
			}
			c.committing, c.committed = parts, parts
		case Release:
			c.release()
		case End:
			c.ended, c.err = true, f.Err
		}
	}
}

func (c *chaos) sent(s Send) {
	w := c.workers[s.Rank]
	if run := s.Down.Run; run != nil {
		r := ref{run.Task, run.Try}
		if c.started[r] {
			c.t.Fatalf("%s was started twice", r)
		}
		c.started[r] = true
		for _, x := range run.Sources {
			if !c.files[x.Name] {
				c.t.Fatalf("%s was sent to read %s, which went with its gang", r, x.Name)
			}
		}
		if len(c.unsaved) > 0 {
			c.t.Fatalf("%s was sent before the decision it follows from was saved", r)
		}
	}
	if w.up {
		w.inbox = append(w.inbox, s.Down)
	}
}

// receive lets a worker take its next message.
func (c *chaos) receive(r int) {
	w := c.workers[r]
	if len(w.inbox) == 0 {
		return
	}
	d := w.inbox[0]
	w.inbox = w.inbox[1:]
	switch {
	case d.Run != nil:
		w.running = append(w.running, d.Run)
	case d.Cancel != nil:
		for i, run := range w.running {
			if run.Task == d.Cancel.Task && run.Try == d.Cancel.Try {
				c.answer(r, i, task.Up{Failed: &task.Failed{Task: run.Task, Try: run.Try, Err: core.Error{Kind: core.Cancelled}}})
				return
			}
		}
	case d.Query != nil:
		inv := &task.Inventory{Done: slices.Clone(w.done)}
		for _, run := range w.running {
			inv.Running = append(inv.Running, task.Progress{Task: run.Task, Try: run.Try})
		}
		w.outbox = append(w.outbox, task.Up{Inventory: inv})
	}
}

func (c *chaos) answer(r, i int, up task.Up) {
	w := c.workers[r]
	w.running = slices.Delete(w.running, i, i+1)
	if up.Done != nil {
		w.done = append(w.done, *up.Done)
	}
	w.outbox = append(w.outbox, up)
}

func (c *chaos) finish(r, i int) {
	run := c.workers[r].running[i]
	if c.random {
		c.salt++
	}
	d := made(run, c.salt)
	if d.Index != nil && d.Index.First == 0 && c.skewed {
		d.Index.Partitions[0].Length *= 1000
	}
	if d.Index != nil {
		c.files[d.Index.Name] = true
	}
	c.answer(r, i, task.Up{Done: d})
}

// release takes the gang away; what was on its way still arrives.
func (c *chaos) release() {
	if len(c.unsaved) > 0 {
		c.t.Fatal("the gang was let go before what is done was saved")
	}
	for _, w := range c.workers {
		*w = worker{}
	}
	c.gangUp = false
	if !c.cfg.Outlives {
		clear(c.files)
	}
}

func (c *chaos) fail(r, i int) {
	run := c.workers[r].running[i]
	f := &task.Failed{Task: run.Task, Try: run.Try, Err: core.Error{Kind: core.Failed, What: "chaos"}}
	if len(run.Sources) > 0 && rapid.Bool().Draw(c.t, "source lost") {
		r := parseRef(c.t, strings.TrimSuffix(rapid.SampledFrom(run.Sources).Draw(c.t, "lost").Name, ".x"))
		f.Lost = []task.ID{r.task}
	}
	c.answer(r, i, task.Up{Failed: f})
}

// speak lets a worker's next message reach the host, perhaps twice.
func (c *chaos) speak(r int, twice bool) {
	w := c.workers[r]
	if len(w.outbox) == 0 {
		return
	}
	up := w.outbox[0]
	w.outbox = w.outbox[1:]
	c.queue = append(c.queue, FromRank{r, up})
	if twice {
		c.queue = append(c.queue, FromRank{r, up})
	}
}

// hear lets the coordinator take its next event.
func (c *chaos) hear() {
	if len(c.queue) == 0 {
		return
	}
	e := c.queue[0]
	c.queue = c.queue[1:]
	c.step(e)
}

func (c *chaos) kill(r int) {
	if c.gangUp && c.workers[r].up {
		*c.workers[r] = worker{}
		c.queue = append(c.queue, RankLost{r, "chaos"})
	}
}

func (c *chaos) replace(r int) {
	if c.gangUp && !c.workers[r].up {
		*c.workers[r] = worker{up: true}
		c.queue = append(c.queue, RankReplaced{r})
	}
}

// crash kills the coordinator: what it did not save and what was on its way to
// it or from it is gone.
func (c *chaos) crash() {
	c.unsaved, c.committing = nil, nil
	c.queue = nil
	c.cfg.FirstTry += 1 << 16
	up := GangUp{Size: len(c.workers), Resumed: true}
	for r, w := range c.workers {
		w.outbox = nil
		if !w.up {
			up.Lost = append(up.Lost, r)
		}
	}
	c.m = New(c.cfg, c.durable)
	c.step(Begin{})
	if c.gangUp {
		c.queue = append(c.queue, up)
	}
}

func (c *chaos) save() {
	if len(c.unsaved) > 0 {
		c.durable, c.unsaved = c.unsaved[0], c.unsaved[1:]
		c.queue = append(c.queue, Saved{})
	}
}

func (c *chaos) commit() {
	if c.committing != nil {
		c.committing, c.visible = nil, true
		c.queue = append(c.queue, Committed{})
	}
}

func (c *chaos) start() {
	if !c.gangUp {
		c.gangUp = true
		for _, w := range c.workers {
			*w = worker{up: true}
		}
		c.queue = append(c.queue, GangUp{Size: len(c.workers)})
	}
}

func (c *chaos) tick(d time.Duration) {
	c.now += d.Milliseconds()
	c.step(Tick{})
}

// disturb does one thing at random.
func (c *chaos) disturb() {
	r := rapid.IntRange(0, len(c.workers)-1).Draw(c.t, "rank")
	w := c.workers[r]
	i := 0
	if len(w.running) > 1 {
		i = rapid.IntRange(0, len(w.running)-1).Draw(c.t, "try")
	}
	switch what := rapid.SampledFrom([]string{
		"hear", "hear", "hear", "speak", "speak", "receive", "receive", "finish", "finish", "rush",
		"start", "save", "commit", "fail", "twice", "kill", "replace", "crash", "tick", "long tick",
		"flow", "flow", "give way", "give way soon", "stay", "shrink",
	}).Draw(c.t, "what"); what {
	case "hear":
		c.hear()
	case "speak", "twice":
		c.speak(r, what == "twice")
	case "receive":
		c.receive(r)
	case "finish":
		if len(w.running) > 0 {
			c.finish(r, i)
		}
	case "fail":
		if len(w.running) > 0 {
			c.fail(r, i)
		}
	case "flow":
		c.flow()
	case "rush":
		c.rush()
	case "start":
		c.start()
	case "save":
		c.save()
	case "commit":
		c.commit()
	case "kill":
		c.kill(r)
	case "replace":
		c.replace(r)
	case "crash":
		c.crash()
	case "give way", "give way soon":
		if c.gangUp {
			left := map[string]time.Duration{"give way": 2 * time.Minute, "give way soon": 10 * time.Second}[what]
			c.queue = append(c.queue, GiveWay{By: c.now + left.Milliseconds(), Reason: "chaos"})
		}
	case "stay":
		if c.gangUp {
			c.queue = append(c.queue, Stay{})
		}
	case "shrink":
		if last := len(c.workers) - 1; c.gangUp && last > 0 {
			r = last
			c.shrinks = true
			c.queue = append(c.queue, Shrink{Ranks: []int{r}, Reason: "chaos"})
		}
	case "tick":
		c.tick(5 * time.Second)
	case "long tick":
		c.tick(2 * time.Minute)
	}
	c.check()
}

// check holds what must be true at every moment.
func (c *chaos) check() {
	if c.m.maps == nil {
		return
	}
	for r, k := range c.m.ranks {
		own := 0
		for _, t := range k.tries {
			if t.no >= c.cfg.FirstTry { // others are an earlier generation's
				own++
			}
		}
		if own > c.cfg.Slots {
			c.t.Fatalf("rank %d has %d tries in %d slots", r, own, c.cfg.Slots)
		}
	}
}

// flow lets every message arrive, so that schedules come as far as reduce.
func (c *chaos) flow() {
	c.start()
	for r, w := range c.workers {
		for len(w.inbox) > 0 {
			c.receive(r)
		}
		for len(w.outbox) > 0 {
			c.speak(r, false)
		}
	}
	c.save()
	for len(c.queue) > 0 && !c.ended {
		c.hear()
	}
}

// rush lets every try that runs finish and be heard.
func (c *chaos) rush() {
	c.flow()
	for r, w := range c.workers {
		for len(w.running) > 0 {
			c.finish(r, 0)
		}
	}
	c.flow()
}

// settle lets everything happen that can, without further faults.
func (c *chaos) settle() {
	if c.shrinks {
		c.kill(len(c.workers) - 1)
	}
	for range 2000 {
		if c.ended {
			return
		}
		c.start()
		for r, w := range c.workers {
			c.replace(r)
			for len(w.inbox) > 0 {
				c.receive(r)
			}
			for len(w.running) > 0 {
				c.finish(r, 0)
			}
			for len(w.outbox) > 0 {
				c.speak(r, false)
			}
		}
		c.save()
		c.commit()
		for len(c.queue) > 0 && !c.ended {
			c.hear()
		}
		c.tick(time.Second)
	}
	c.t.Fatalf("the job does not end: %v", c.m.Progress())
}

// judge looks at what was committed: each task once, each reduce part made from
// the map outputs that count.
func (c *chaos) judge() {
	if c.err != nil || !c.visible {
		c.t.Fatalf("ended with %v, visible %v", c.err, c.visible)
	}
	want := c.durable.Partitions
	if want == 0 {
		want = len(c.durable.Splits)
	}
	seen := map[int]bool{}
	for _, p := range c.committed {
		if seen[p.Ordinal] {
			c.t.Fatalf("part %d was committed twice", p.Ordinal)
		}
		seen[p.Ordinal] = true
	}
	if len(seen) != want {
		c.t.Fatalf("%d of %d parts were committed", len(seen), want)
	}
	counters := c.m.Report().Counters
	if got := counters["test/map"]; got != int64(len(c.durable.Splits)) {
		c.t.Fatalf("map counters count %d tasks of %d", got, len(c.durable.Splits))
	}
	if got := counters["test/reduce"]; got != int64(c.durable.Partitions) {
		c.t.Fatalf("reduce counters count %d tasks of %d", got, c.durable.Partitions)
	}
	if c.m.maps == nil || c.durable.Partitions == 0 {
		return
	}
	var sources []Index
	for _, i := range c.m.maps.items {
		sources = append(sources, i.done.Index)
	}
	for _, p := range c.committed {
		if want := uint32(task.RowHash(sources, p.Ordinal, p.Ordinal+1)); p.CRC32C != want {
			c.t.Fatalf("part %d was made from other map outputs than those that count", p.Ordinal)
		}
	}
}

// TestChaos: whatever fails in whatever order, once it stops failing the job
// ends, and every task counts exactly once (laws M1 to M7).
func TestChaos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChaos(t)
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			if c.ended {
				break
			}
			c.disturb()
		}
		if !c.ended {
			c.settle()
		}
		c.judge()
	})
}

// TestSameEventsSameEffects holds law M8.
func TestSameEventsSameEffects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := State{Partitions: 2, Splits: []input.Split{{Bytes: 5}, {Bytes: 9}, {Bytes: 5}}}
		cfg := Config{Slots: 2, Attempts: 3, Timeout: time.Second, Speculation: true}
		a, b := New(cfg, state), New(cfg, state)
		events := []Event{Begin{}, GangUp{Size: 3}}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			r := rapid.IntRange(0, 2).Draw(t, "rank")
			id := task.ID{Phase: rapid.SampledFrom([]task.Phase{task.Map, task.Reduce}).Draw(t, "phase"), Index: rapid.IntRange(0, 2).Draw(t, "index")}
			try := rapid.IntRange(0, 2).Draw(t, "number")
			events = append(events, rapid.SampledFrom([]Event{
				FromRank{r, task.Up{Done: made(&task.Run{Task: id, Try: try, Partitions: 2}, 0)}},
				FromRank{r, task.Up{Failed: &task.Failed{Task: id, Try: try}}},
				RankLost{r, "x"}, RankReplaced{r}, Tick{}, Saved{},
			}).Draw(t, "event"))
		}
		for n, e := range events {
			now := int64(n) * 400
			if d := cmp.Diff(a.Step(now, e), b.Step(now, e)); d != "" {
				t.Fatalf("two machines differ after event %d:\n%s", n, d)
			}
		}
	})
}
