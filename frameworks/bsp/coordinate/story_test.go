package coordinate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// story drives one machine through a text file. Saves are durable at once,
// unless the story says "new … slow".
type story struct {
	slow  bool
	cfg   Config
	m     *Machine
	now   int64
	saved State
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, s.run)
	})
}

func (s *story) step(e Event) string {
	var b strings.Builder
	for next := []Event{e}; len(next) > 0; {
		e, next = next[0], next[1:]
		for _, f := range s.m.Step(s.now, e) {
			fmt.Fprintln(&b, s.show(f))
			if _, ok := f.(Save); ok && !s.slow {
				next = append(next, Saved{})
			}
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *story) show(f Effect) string {
	switch f := f.(type) {
	case Send:
		return fmt.Sprintf("rank %d: %s", f.Rank, showDown(f.Down))
	case Save:
		text, err := f.State.Encode()
		if err != nil {
			return err.Error()
		}
		state, err := DecodeState(text)
		if err != nil {
			return err.Error()
		}
		s.saved = *state
		return fmt.Sprintf("save incarnation %d%s", state.Incarnation, showState(state))
	case Renew:
		return "let the gang go and ask for it again"
	case Commit:
		var objects []string
		for _, p := range f.Parts {
			objects = append(objects, p.Object)
		}
		return "commit " + strings.Join(objects, " ")
	case StopCommit:
		return "stop the commit"
	case Note:
		return "note: " + f.Text
	case End:
		if f.Err == nil {
			return "end"
		}
		e := core.AsError(f.Err)
		return fmt.Sprintf("end %s: %s\n  at: %s\n  fix: %s", e.Kind, e.What, e.Where, e.Remedy)
	}
	return fmt.Sprintf("%#v", f)
}

func showState(state *State) string {
	text := ""
	if len(state.Kept) > 0 {
		text += ", checkpoints " + showAll(state.kept())
	}
	if state.Result != nil {
		text += fmt.Sprintf(", result of %d parts", len(state.Result.Parts))
	}
	return text
}

func showAll(list []task.Checkpoint) string {
	var names []string
	for _, c := range list {
		names = append(names, fmt.Sprintf("%d.%d", c.Incarnation, c.Superstep))
	}
	return "[" + strings.Join(names, " ") + "]"
}

func showDown(d task.Down) string {
	switch {
	case d.Begin != nil:
		text := fmt.Sprintf("begin %d on %s", d.Begin.Incarnation, strings.Join(d.Begin.Hosts, " "))
		if r := d.Begin.Resume; r != nil {
			text += " from " + showAll([]task.Checkpoint{*r})
		}
		if n := len(d.Begin.Splits); n > 0 {
			text += fmt.Sprintf(" with %d splits", n)
		}
		return text
	case d.Stop != nil:
		return fmt.Sprintf("stop %d", d.Stop.Incarnation)
	case d.Committed != nil:
		return "committed " + showAll(d.Committed.Keep)
	case d.Bring != nil:
		return "bring " + showAll([]task.Checkpoint{d.Bring.Checkpoint})
	case d.Save != nil:
		return fmt.Sprintf("save %d", d.Save.Incarnation)
	}
	return "query"
}

func (s *story) open(t *testing.T, d *datadriven.TestData) string {
	s.cfg = Config{Repairs: 2, Preview: &spec.Preview{Limit: 2, By: "value", Order: "descending"},
		Deal: func(all []input.Split, size int) [][]input.Split {
			dealt := make([][]input.Split, size)
			for i, one := range all {
				dealt[i%size] = append(dealt[i%size], one)
			}
			return dealt
		}}
	s.slow = d.HasArg("slow")
	splits := 0
	maybe(t, d, "splits", &splits)
	s.saved = State{Splits: make([]input.Split, splits)}
	s.m = New(s.cfg, s.saved)
	return s.step(Begin{})
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	rank, incarnation, superstep := 0, s.saved.Incarnation, 0
	maybe(t, d, "rank", &rank)
	maybe(t, d, "incarnation", &incarnation)
	maybe(t, d, "superstep", &superstep)
	say := func(up task.Up) string { return s.step(FromRank{rank, up}) }
	text := strings.TrimSpace(d.Input)
	switch d.Cmd {
	case "new":
		return s.open(t, d)
	case "restart":
		s.m = New(s.cfg, s.saved)
		return s.step(Begin{})
	case "gang":
		e := GangUp{Resumed: d.HasArg("resumed")}
		d.ScanArgs(t, "size", &e.Size)
		if d.HasArg("lost") {
			e.Lost = []int{0}
			d.ScanArgs(t, "lost", &e.Lost[0])
		}
		return s.step(e)
	case "hello":
		return say(task.Up{Hello: s.hello(t, d, rank)})
	case "hellos":
		var b strings.Builder
		for r := range s.m.ranks {
			b.WriteString(s.step(FromRank{r, task.Up{Hello: &task.Hello{Host: "h"}}}))
		}
		return b.String()
	case "steps":
		total := task.Superstep{Number: int64(superstep), Compute: 2e9 * int64(rank+1), Wait: 1e6, Messages: 10, Bytes: 1 << 20}
		return say(task.Up{Steps: &task.Steps{Incarnation: incarnation, Last: []task.Superstep{total}, Total: total}})
	case "written":
		return say(task.Up{Written: &task.Written{Checkpoint: task.Checkpoint{Incarnation: incarnation, Superstep: int64(superstep)}, Bytes: 100}})
	case "brought":
		return say(task.Up{Brought: &task.Brought{Checkpoint: task.Checkpoint{Incarnation: incarnation, Superstep: int64(superstep)}}})
	case "done":
		return say(task.Up{Done: made(rank, incarnation, superstep)})
	case "ended":
		e := &task.Ended{Incarnation: incarnation, Superstep: int64(superstep), Lost: -1, Damaged: d.HasArg("damaged"), Fatal: d.HasArg("fatal"),
			Err: core.Error{Kind: core.Failed, What: text}}
		return say(task.Up{Ended: e})
	case "lost":
		return s.step(RankLost{rank, text})
	case "replaced":
		return s.step(RankReplaced{rank})
	case "give-way":
		return s.step(GiveWay{Until: s.now + 10_000, Reason: "job big needs its place"})
	case "stay":
		return s.step(Stay{})
	case "saved":
		return s.step(Saved{})
	case "committed":
		if text != "" {
			return s.step(Committed{core.Errorf(core.Conflict, "%s", text)})
		}
		return s.step(Committed{})
	case "cancel":
		return s.step(CancelAsked{text})
	case "wait":
		took, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.now += took.Milliseconds()
		return s.step(Tick{})
	case "progress":
		return s.progress()
	case "report":
		return s.report()
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

func (s *story) hello(t *testing.T, d *datadriven.TestData, rank int) *task.Hello {
	h := &task.Hello{Host: "h"}
	maybe(t, d, "running", &h.Running)
	at := 0
	if maybe(t, d, "wrote", &at); at > 0 {
		h.Written = []task.Written{{Checkpoint: task.Checkpoint{Incarnation: h.Running, Superstep: int64(at)}}}
	}
	if d.HasArg("done") {
		h.Done = made(rank, h.Running, 3)
	}
	return h
}

func made(rank, incarnation, superstep int) *task.Done {
	object := fmt.Sprintf("rank-%d.%d", rank, incarnation)
	return &task.Done{Incarnation: incarnation, Superstep: int64(superstep), CPUNanos: 1e9,
		Total:    task.Superstep{Number: int64(superstep), Compute: 1e9, Messages: 5, Bytes: 100},
		Parts:    []output.Part{{Object: object, Bytes: 10, Rows: 2}},
		Side:     []output.Part{{Object: object + ".csv", Kind: output.Side}},
		Counters: map[string]int64{"test/n": 1},
		Preview:  []task.PreviewRow{{Key: fmt.Sprint("v", rank), Value: fmt.Sprint(rank), Num: float64(rank), IsNum: true}}}
}

func (s *story) progress() string {
	var b strings.Builder
	p := s.m.Progress()
	for _, st := range p.Stages {
		fmt.Fprintf(&b, "%s: %d of %d, %d repairs\n", st.Name, st.Done, st.Tasks, st.Failed)
	}
	for _, t := range p.Tables {
		fmt.Fprintln(&b, strings.Join(t.Columns, " "))
		for _, row := range t.Rows {
			fmt.Fprintln(&b, "  "+strings.Join(row, " "))
		}
	}
	fmt.Fprintf(&b, "note %q\n", p.Note)
	return b.String()
}

func (s *story) report() string {
	r := s.m.Report()
	var b strings.Builder
	fmt.Fprintf(&b, "out %d bytes, %d records; %.0f cpu-seconds\n", r.BytesOut, r.RecordsOut, r.CPUSeconds)
	fmt.Fprintf(&b, "counters %v\n", r.Counters)
	if r.Preview != nil {
		fmt.Fprintf(&b, "%s: %v\n", r.Preview.Title, r.Preview.Rows)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

func maybe(t *testing.T, d *datadriven.TestData, key string, into *int) {
	if d.HasArg(key) {
		d.ScanArgs(t, key, into)
	}
}
