package coordinate

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// chaos is a host and its workers, as unkind as the contract lets them be.
type chaos struct {
	t     *rapid.T
	cfg   Config
	m     *Machine
	saved Tally
	gangs map[string]*chaosGang
	ended map[string]bool // EndGang
	runs  map[string]int  // tries begun, by gang, rank and try (law B2)
	saves int             // asked for and not answered
	files int             // writes, likewise
	over  bool
}

type chaosGang struct {
	ranks  []chaosRank
	giving bool // it has had notice: its place will be taken
}

type chaosRank struct {
	there    bool
	running  int // try; 0: none
	stopping bool
	last     *task.Done
}

func (c *chaos) step(e Event) {
	for _, f := range c.m.Step(e) {
		switch f := f.(type) {
		case Send:
			c.send(f)
		case Save:
			c.saved, c.saves = f.Tally, c.saves+1
		case Write:
			c.files++
		case EndGang:
			if c.ended[f.Gang] {
				c.t.Fatalf("%s ends twice", f.Gang)
			}
			c.ended[f.Gang] = true
			delete(c.gangs, f.Gang)
		case Release:
			for _, r := range c.gangs[f.Gang].ranks {
				if r.there && r.running > 0 {
					c.t.Fatalf("%s is released while a task runs", f.Gang)
				}
			}
			delete(c.gangs, f.Gang)
		case End:
			c.over = true
		}
	}
}

func (c *chaos) send(s Send) {
	g := c.gangs[s.Gang]
	if g == nil {
		c.t.Fatalf("a message to %s, which is not up", s.Gang)
	}
	r := &g.ranks[s.Rank]
	if !r.there {
		c.t.Fatalf("a message to %s %d, which is lost", s.Gang, s.Rank)
	}
	switch d := s.Down; {
	case d.Run != nil:
		key := fmt.Sprint(s.Gang, s.Rank, d.Run.Try)
		if c.runs[key]++; c.runs[key] > 1 {
			c.t.Fatalf("try %d of %s %d begins twice", d.Run.Try, s.Gang, s.Rank)
		}
		if r.running > 0 {
			c.t.Fatalf("%s %d is to run try %d while try %d runs", s.Gang, s.Rank, d.Run.Try, r.running)
		}
		r.running, r.stopping = d.Run.Try, false
	case d.Stop != nil:
		r.stopping = r.running > 0 && (r.stopping || !d.Stop.Off) && (r.stopping || d.Stop.After == 0 || rapid.Bool().Draw(c.t, "time is over"))
	case d.Ask:
		h := &task.Holds{Running: r.running}
		if r.running == 0 {
			h.Done = r.last
		}
		c.step(FromRank{s.Gang, s.Rank, task.Up{Holds: h}})
	}
}

// names of the gangs that may be up now.
func (c *chaos) names() []string {
	if c.cfg.Array == nil {
		return []string{"main"}
	}
	var list []string
	for n := range c.cfg.Array.Len() {
		name := fmt.Sprintf("main[%d]", c.cfg.Array.Index(n))
		if !c.ended[name] {
			list = append(list, name)
		}
	}
	return list
}

func (c *chaos) up(name string) {
	if c.gangs[name] != nil {
		return
	}
	g := &chaosGang{ranks: make([]chaosRank, c.cfg.Gang.Size)}
	for r := range g.ranks {
		g.ranks[r].there = true
	}
	c.gangs[name] = g
	c.step(GangUp{Gang: name, Nodes: make([]core.NodeID, c.cfg.Gang.Size)})
}

// finish ends a rank's running try.
func (c *chaos) finish(name string, r, code int) {
	k := &c.gangs[name].ranks[r]
	if !k.there || k.running == 0 {
		return
	}
	k.last = &task.Done{Try: k.running, Code: code, Stopped: k.stopping}
	k.running = 0
	c.step(FromRank{name, r, task.Up{Done: k.last}})
}

// restart lets a new coordinator take over.
func (c *chaos) restart() {
	c.cfg.FirstTry += 1000
	c.m, c.saves, c.files = New(c.cfg, c.saved.clone()), 0, 0
	c.step(Begin{})
	for _, name := range slices.Sorted(maps.Keys(c.gangs)) {
		g := c.gangs[name]
		e := GangUp{Gang: name, Nodes: make([]core.NodeID, len(g.ranks)), Resumed: true}
		for r := range g.ranks {
			if !g.ranks[r].there {
				e.Lost = append(e.Lost, r)
			}
		}
		c.step(e)
	}
}

func (c *chaos) trouble() {
	name := rapid.SampledFrom(append(c.names(), "main")).Draw(c.t, "gang")
	g := c.gangs[name]
	what := rapid.SampledFrom([]string{"up", "done", "done", "fail", "lost", "replaced", "give way", "stay", "taken", "saved", "written", "restart"}).Draw(c.t, "what")
	if g == nil && what != "restart" && what != "saved" && what != "written" {
		what = "up"
	}
	r := rapid.IntRange(0, c.cfg.Gang.Size-1).Draw(c.t, "rank")
	switch what {
	case "up":
		if slices.Contains(c.names(), name) {
			c.up(name)
		}
	case "done":
		c.finish(name, r, 0)
	case "fail":
		c.finish(name, r, 1)
	case "lost":
		if g.ranks[r].there {
			g.ranks[r] = chaosRank{}
			c.step(RankLost{name, r, "killed"})
		}
	case "replaced":
		if !g.ranks[r].there {
			g.ranks[r].there = true
			c.step(RankReplaced{name, r})
		}
	case "give way":
		g.giving = true
		left := rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(c.t, "left")
		c.step(GiveWay{Gang: name, Left: left, Reason: "room"})
	case "stay":
		g.giving = false
		c.step(Stay{Gang: name})
	case "taken": // and placed again, while the coordinator still waits
		delete(c.gangs, name)
		c.up(name)
	case "saved":
		if c.saves > 0 {
			c.saves--
			c.step(Saved{})
		}
	case "written":
		if c.files > 0 {
			c.files--
			c.step(Written{})
		}
	case "restart":
		c.restart()
	}
}

// TestChaos throws what may happen at a machine, then is kind to it: the job
// ends, whatever went before.
func TestChaos(t *testing.T) {
	body, err := spec.Parse([]byte(`{"script": "#!/bin/sh\n", "retries": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := *body
		b.Per = rapid.SampledFrom([]string{"rank", "gang"}).Draw(t, "per")
		c := &chaos{t: t, gangs: map[string]*chaosGang{}, ended: map[string]bool{}, runs: map[string]int{}}
		c.cfg = Config{Job: "job", Body: &b, Gang: core.GangAsk{Name: "main", Gang: core.Gang{
			Size:    rapid.IntRange(1, 3).Draw(t, "size"),
			Restart: rapid.SampledFrom([]string{"none", "member", "role", "gang"}).Draw(t, "restart"),
		}}}
		if rapid.Bool().Draw(t, "array") {
			c.cfg.Array = &core.Array{Ranges: []core.ArrayRange{{First: 0, Last: 3, Step: 1}}}
		}
		c.m = New(c.cfg, Tally{})
		for range rapid.IntRange(0, 40).Draw(t, "troubles") {
			if c.over {
				return
			}
			c.trouble()
		}
		c.calm()
		if !c.over {
			t.Fatalf("the job does not end: %+v", c.m.Progress())
		}
	})
}

// calm lets everything happen that has to.
func (c *chaos) calm() {
	for range 40 {
		for _, name := range c.names() {
			if g := c.gangs[name]; g != nil && g.giving {
				delete(c.gangs, name)
			}
			c.up(name)
			for r := 0; c.gangs[name] != nil && r < c.cfg.Gang.Size; r++ {
				if !c.gangs[name].ranks[r].there {
					c.gangs[name].ranks[r].there = true
					c.step(RankReplaced{name, r})
				}
				if c.gangs[name] != nil {
					c.finish(name, r, 0)
				}
			}
		}
		for ; c.saves > 0; c.saves-- {
			c.step(Saved{})
		}
		for ; c.files > 0; c.files-- {
			c.step(Written{})
		}
		if c.over {
			return
		}
	}
}
