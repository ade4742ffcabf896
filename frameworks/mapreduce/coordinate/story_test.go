package coordinate

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// ref names a try: "map-0.1" is the second try of map task 0.
type ref struct {
	task task.ID
	try  int
}

func (r ref) String() string { return fmt.Sprintf("%s-%d.%d", r.task.Phase, r.task.Index, r.try) }

func parseRef(t interface{ Fatalf(string, ...any) }, s string) ref {
	phase, rest, _ := strings.Cut(s, "-")
	index, try, ok := strings.Cut(rest, ".")
	i, err := strconv.Atoi(index)
	n, err2 := strconv.Atoi(try)
	if !ok || err != nil || err2 != nil {
		t.Fatalf("%q is not a try such as map-0.1", s)
	}
	return ref{task.ID{Phase: task.Phase(phase), Index: i}, n}
}

// made is the result of a try as a worker would make it from its orders.
func made(run *task.Run, salt uint64) *task.Done {
	id := task.ID{Phase: run.Task.Phase, Index: run.Task.Index}
	d := &task.Done{Task: id, Try: run.Try, Counters: map[string]int64{"test/" + string(id.Phase): 1}, CPUNanos: 1e9}
	name := fmt.Sprintf("%s.%d", id, run.Try)
	switch {
	case id.Phase == task.Sample:
		d.Keys = [][]byte{fmt.Appendf(nil, "key-%d", id.Index)}
	case id.Phase == task.Map && run.Partitions > 0:
		d.RecordsIn = 10
		x := &shuffle.Index{Version: shuffle.Version, Name: name + ".x", Size: int64(10 * run.Partitions), Total: run.Partitions}
		for p := range run.Partitions {
			x.Partitions = append(x.Partitions, shuffle.Partition{Length: 10, Rows: 1, RowHash: uint64(id.Index*100+p) + salt})
		}
		d.Index, d.RecordsOut, d.Combined = x, int64(2*run.Partitions), true
	case id.Phase == task.Merge:
		d.Read = task.RowHash(run.Sources, run.Lo, run.Hi)
		d.Index = &shuffle.Index{Version: shuffle.Version, Name: name + ".x", Size: 10, First: run.Lo, Total: run.Partitions,
			Partitions: []shuffle.Partition{{Length: 10, Rows: 1, RowHash: d.Read}}}
	case id.Phase == task.Reduce:
		d.Counters["test/reduce"] = int64(run.Hi - run.Lo)
		d.RecordsIn, d.RecordsOut = 10, 5
		d.Read = task.RowHash(run.Sources, run.Lo, run.Hi)
		for p := run.Lo; p < run.Hi; p++ {
			object := name
			if run.Hi > run.Lo+1 {
				object = fmt.Sprintf("%s/%d", name, p)
			}
			d.Parts = append(d.Parts, output.Part{Name: fmt.Sprintf("part-%05d", p), Object: object, Bytes: 50, Rows: 5, Kind: "result", Ordinal: p,
				CRC32C: uint32(task.RowHash(run.Sources, p, p+1))})
		}
		d.Preview = []task.PreviewRow{{Key: name, Value: strconv.Itoa(id.Index), Num: float64(id.Index), IsNum: true}}
	default:
		d.RecordsIn, d.RecordsOut = 10, 5
		d.Parts = []output.Part{{Name: fmt.Sprintf("part-%05d", id.Index), Object: name, Bytes: 50, Rows: 5, Kind: "result", Ordinal: id.Index}}
		d.Preview = []task.PreviewRow{{Key: name, Value: strconv.Itoa(id.Index), Num: float64(id.Index), IsNum: true}}
	}
	return d
}

// story drives one machine through a text file. A plan of reads is durable as
// soon as it is made, unless the story says "new … slow".
type story struct {
	slow  bool
	cfg   Config
	m     *Machine
	now   int64
	saved State
	runs  map[ref]*task.Run
}

func (s *story) step(e Event) string {
	var b strings.Builder
	planned := false
	for _, f := range s.m.Step(s.now, e) {
		b.WriteString(s.show(f))
		b.WriteByte('\n')
		save, ok := f.(Save)
		planned = planned || ok && save.State.Planned && save.State.Result == nil
	}
	if planned && !s.slow {
		return b.String() + s.step(Saved{})
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *story) show(f Effect) string {
	switch f := f.(type) {
	case Send:
		return fmt.Sprintf("rank %d: %s", f.Rank, s.showDown(f.Down))
	case Save:
		s.saved = f.State
		what := fmt.Sprintf("bounds %q", f.State.Bounds)
		switch {
		case f.State.Result != nil:
			what = fmt.Sprintf("result of %d parts", len(f.State.Result.Parts))
		case f.State.Planned:
			what = "reads" + showReads(f.State.Reads, len(f.State.Splits))
		}
		if len(f.State.Done) > 0 {
			what += ", done" + showDone(f.State.Done)
		}
		return "save " + what
	case Commit:
		var objects []string
		for _, p := range f.Parts {
			objects = append(objects, p.Object)
		}
		return "commit " + strings.Join(objects, " ")
	case Release:
		return "release the gang"
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

func showDone(list []task.Done) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, " %s", ref{d.Task, d.Try})
	}
	return b.String()
}

// showReads is partitions, and of those that are divided the map tasks.
func showReads(reads []shuffle.Share, maps int) string {
	var b strings.Builder
	for _, r := range reads {
		fmt.Fprintf(&b, " %d:%d", r.Lo, r.Hi)
		if r.Divided(maps) {
			fmt.Fprintf(&b, "(of %d:%d)", r.From, r.To)
		}
	}
	return b.String()
}

func (s *story) showDown(d task.Down) string {
	switch {
	case d.Run != nil:
		r := ref{d.Run.Task, d.Run.Try}
		s.runs[r] = d.Run
		text := "run " + r.String()
		if len(d.Run.Sources) > 0 {
			var names []string
			for _, x := range d.Run.Sources {
				names = append(names, x.Name)
			}
			text += " from " + strings.Join(names, " ")
		}
		if len(d.Run.Bounds) > 0 {
			text += fmt.Sprintf(" bounds %q", d.Run.Bounds)
		}
		return text
	case d.Cancel != nil:
		return "cancel " + ref{d.Cancel.Task, d.Cancel.Try}.String()
	case d.Query != nil:
		return "query"
	default:
		return "forget " + strings.Join(d.Forget, " ")
	}
}

func (s *story) open(t *testing.T, d *datadriven.TestData) string {
	s.cfg = Config{Slots: 1, Attempts: 4, Timeout: 10 * time.Minute, Preview: &spec.Preview{Limit: 2, By: "value", Order: "descending"}}
	partitions := 0
	maybe(t, d, "slots", &s.cfg.Slots)
	maybe(t, d, "attempts", &s.cfg.Attempts)
	maybe(t, d, "partitions", &partitions)
	s.slow = d.HasArg("slow")
	s.cfg.Grace, s.cfg.Outlives = 30*time.Second, d.HasArg("outlives")
	s.cfg.Speculation, s.cfg.Range = d.HasArg("speculation"), d.HasArg("range")
	s.saved = State{Partitions: partitions}
	for _, a := range d.CmdArgs {
		if a.Key != "splits" {
			continue
		}
		for i, v := range a.Vals {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			f := input.File{URL: fmt.Sprintf("file:///in/%d", i), Size: n}
			s.saved.Splits = append(s.saved.Splits, input.Split{Bytes: n, Ranges: []input.Range{{File: f, Length: n}}})
		}
	}
	s.runs = map[ref]*task.Run{}
	s.m = New(s.cfg, s.saved)
	return s.step(Begin{})
}

// restart kills the coordinator: the next generation has what was saved.
func (s *story) restart() string {
	s.cfg.FirstTry += 1000
	s.m = New(s.cfg, s.saved)
	return s.step(Begin{})
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	rank := 0
	maybe(t, d, "rank", &rank)
	switch d.Cmd {
	case "new":
		return s.open(t, d)
	case "restart":
		return s.restart()
	case "gang":
		e := GangUp{Resumed: d.HasArg("resumed")}
		d.ScanArgs(t, "size", &e.Size)
		if d.HasArg("lost") {
			e.Lost = append(e.Lost, 0)
			d.ScanArgs(t, "lost", &e.Lost[0])
		}
		return s.step(e)
	case "done":
		return s.done(t, d, rank)
	case "fail":
		return s.fail(t, d, rank)
	case "progress":
		p := &task.Progress{}
		r := s.ref(t, d)
		p.Task, p.Try = r.task, r.try
		d.ScanArgs(t, "bytes", &p.Bytes)
		return s.step(FromRank{rank, task.Up{Progress: p}})
	case "inventory":
		return s.step(FromRank{rank, task.Up{Inventory: s.inventory(t, d)}})
	case "lost":
		return s.step(RankLost{rank, strings.TrimSpace(d.Input)})
	case "replaced":
		return s.step(RankReplaced{rank})
	case "give-way":
		var left string
		d.ScanArgs(t, "left", &left)
		took, err := time.ParseDuration(left)
		if err != nil {
			t.Fatal(err)
		}
		return s.step(GiveWay{By: s.now + took.Milliseconds(), Reason: "others need the room"})
	case "stay":
		return s.step(Stay{})
	case "shrink":
		return s.step(Shrink{Ranks: []int{rank}, Reason: "others need the room"})
	case "wait":
		return s.wait(t, d)
	case "saved":
		return s.step(Saved{})
	case "committed":
		if d.Input != "" {
			return s.step(Committed{core.Errorf(core.Conflict, "%s", d.Input)})
		}
		return s.step(Committed{})
	case "cancel":
		return s.step(CancelAsked{strings.TrimSpace(d.Input)})
	case "progress-shown":
		return s.progress()
	case "report":
		return s.report()
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

func (s *story) ref(t *testing.T, d *datadriven.TestData) ref {
	var name string
	d.ScanArgs(t, "try", &name)
	return parseRef(t, name)
}

func (s *story) made(t *testing.T, r ref, salt int) *task.Done {
	run := s.runs[r]
	if run == nil {
		t.Fatalf("%s was never sent", r)
	}
	return made(run, uint64(salt))
}

func (s *story) done(t *testing.T, d *datadriven.TestData, rank int) string {
	salt := 0
	maybe(t, d, "salt", &salt)
	return s.step(FromRank{rank, task.Up{Done: s.made(t, s.ref(t, d), salt)}})
}

func (s *story) fail(t *testing.T, d *datadriven.TestData, rank int) string {
	r := s.ref(t, d)
	f := &task.Failed{Task: r.task, Try: r.try, Fatal: d.HasArg("fatal"), Err: core.Error{Kind: core.Failed, What: "exit status 3"}}
	if d.Input != "" {
		f.Err.What = d.Input
	}
	for _, a := range d.CmdArgs {
		if a.Key == "lost" {
			for _, v := range a.Vals {
				phase, index, _ := strings.Cut(v, "-")
				n, err := strconv.Atoi(index)
				if err != nil {
					t.Fatalf("%q is not a task such as map-0", v)
				}
				f.Lost = append(f.Lost, task.ID{Phase: task.Phase(phase), Index: n})
			}
		}
	}
	return s.step(FromRank{rank, task.Up{Failed: f}})
}

func (s *story) inventory(t *testing.T, d *datadriven.TestData) *task.Inventory {
	inv := &task.Inventory{More: d.HasArg("more")}
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			switch a.Key {
			case "done":
				inv.Done = append(inv.Done, *s.made(t, parseRef(t, v), 0))
			case "running":
				r := parseRef(t, v)
				inv.Running = append(inv.Running, task.Progress{Task: r.task, Try: r.try})
			}
		}
	}
	return inv
}

func (s *story) wait(t *testing.T, d *datadriven.TestData) string {
	for _, a := range d.CmdArgs {
		took, err := time.ParseDuration(a.Key)
		if err != nil {
			t.Fatal(err)
		}
		s.now += took.Milliseconds()
	}
	return s.step(Tick{})
}

func (s *story) progress() string {
	var b strings.Builder
	p := s.m.Progress()
	for _, st := range p.Stages {
		fmt.Fprintf(&b, "%s: %d of %d done, %d running, %d failed, %d of %d bytes\n", st.Name, st.Done, st.Tasks, st.Running, st.Failed, st.BytesDone, st.BytesTotal)
	}
	fmt.Fprintf(&b, "counters %v\nnote %q\n", p.Counters, p.Note)
	return b.String()
}

func (s *story) report() string {
	r := s.m.Report()
	var b strings.Builder
	fmt.Fprintf(&b, "in %d bytes, %d records; shuffled %d; out %d bytes, %d records; %.0f cpu-seconds\n",
		r.BytesIn, r.RecordsIn, r.Shuffled, r.BytesOut, r.RecordsOut, r.CPUSeconds)
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

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, s.run)
	})
}
