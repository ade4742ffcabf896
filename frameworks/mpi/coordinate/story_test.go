package coordinate

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// story drives one machine through a text file.
type story struct {
	cfg   Config
	m     *Machine
	saved State
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := new(story)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.command(t, d) })
	})
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	gang, x := "main", 0
	d.MaybeScanArgs(t, "gang", &gang)
	d.MaybeScanArgs(t, "x", &x)
	say := func(up task.Up) string { return s.step(FromExecutor{gang, x, up}) }
	run := s.m.currentRun(gang)
	d.MaybeScanArgs(t, "run", &run)
	n := 1
	d.MaybeScanArgs(t, "n", &n)
	switch d.Cmd {
	case "new":
		s.begin(t, d)
		return s.step(Begin{})
	case "generation": // a new coordinator after a crash
		s.cfg.FirstRun += 100
		s.m = New(s.cfg, s.saved.clone())
		return s.step(Begin{})
	case "up":
		size := s.m.worlds[gang].Ask.Size
		e := GangUp{Gang: gang, Resumed: d.HasArg("resumed")}
		for r := range size {
			e.Nodes = append(e.Nodes, core.NodeID("n"+strconv.Itoa(r)))
		}
		var lost int
		if d.MaybeScanArgs(t, "lost", &lost) {
			e.Lost = []int{lost}
		}
		return s.step(e)
	case "holds":
		return say(task.Up{Holds: s.holds(t, d, run, x)})
	case "fence":
		return say(task.Up{Fence: &task.Fence{Run: run, N: n, Put: []pmi.Pair{{Key: "k" + strconv.Itoa(x), Value: "v"}}}})
	case "ended":
		return say(task.Up{Ended: ended(t, d, run)})
	case "look":
		return say(task.Up{State: &task.State{Run: run, Ranks: []task.Look{looked(t, d, n)}}})
	case "ask":
		a := &task.Ask{Run: run, ID: 1}
		d.ScanArgs(t, "verb", &a.Verb)
		d.MaybeScanArgs(t, "name", &a.Name)
		d.MaybeScanArgs(t, "port", &a.Port)
		if a.Verb == task.SpawnVerb {
			a.Spawn = &pmi.Spawn{Programs: []pmi.Program{{Ranks: n, Argv: []string{"child"}}}}
		}
		return say(task.Up{Ask: a})
	case "lost":
		return s.step(ExecutorLost{gang, x, "out of memory"})
	case "replaced":
		return s.step(ExecutorReplaced{gang, x})
	case "give-way":
		return s.step(GiveWay{Gang: gang, Left: 20 * time.Second, Reason: "job big needs its place"})
	case "stay":
		return s.step(Stay{gang})
	case "refused":
		return s.step(Refused{gang, core.Errorf(core.Unplaceable, "there is no room")})
	case "cancel":
		return s.step(CancelAsked{"cancelled by the user"})
	case "progress":
		p := s.m.Progress()
		var b strings.Builder
		fmt.Fprintf(&b, "%+v %v %q\n", p.Stages[0], p.Counters, p.Note)
		for _, row := range p.Tables[0].Rows {
			fmt.Fprintln(&b, strings.Join(row, " | "))
		}
		return b.String()
	}
	t.Fatalf("unknown command %q", d.Cmd)
	return ""
}

// looked is a rank that works, or has come to its nth wait, for the rank in on or
// anybody.
func looked(t *testing.T, d *datadriven.TestData, n int) task.Look {
	var l task.Look
	d.ScanArgs(t, "rank", &l.Rank)
	if d.HasArg("n") {
		l.Wait = &waits.Wait{Op: "Recv", Tag: 7, Number: uint64(n)}
	}
	var on int
	if d.MaybeScanArgs(t, "on", &on) {
		l.Wait.Peers = []int{on}
	}
	return l
}

// currentRun is that of a world; 0 without one.
func (m *Machine) currentRun(gang string) int {
	if m == nil || m.worlds[gang] == nil {
		return 0
	}
	return m.worlds[gang].run
}

func (s *story) begin(t *testing.T, d *datadriven.TestData) {
	b, err := spec.Parse([]byte(`{"command": ["app"]}`))
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = Config{Job: "job", Epoch: 1, Body: b, Gang: core.GangAsk{Name: "main", Gang: core.Gang{Size: 2, CPU: 2000}}}
	b.Ranks = 4
	d.MaybeScanArgs(t, "size", &s.cfg.Gang.Size)
	d.MaybeScanArgs(t, "ranks", &b.Ranks)
	d.MaybeScanArgs(t, "failure", &b.Failure)
	d.MaybeScanArgs(t, "restarts", &b.Restarts)
	s.saved = State{}
	s.m = New(s.cfg, State{})
}

// holds is what a worker has: with ranks ended, in or through a barrier.
func (s *story) holds(t *testing.T, d *datadriven.TestData, run, x int) *task.Holds {
	h := &task.Holds{Node: "host" + strconv.Itoa(x)}
	if d.HasArg("together") {
		h.Node = "host"
	}
	if d.HasArg("run") {
		h.Run = run
	}
	var n int
	if d.MaybeScanArgs(t, "in", &n) {
		h.Fence = &task.Fence{Run: run, N: n, Put: []pmi.Pair{{Key: "k" + strconv.Itoa(x), Value: "v"}}}
	}
	if d.MaybeScanArgs(t, "passed", &n) {
		h.Passed = &task.Fenced{Run: run, N: n, All: []pmi.Pair{{Key: "k0", Value: "v"}, {Key: "k1", Value: "v"}}}
	}
	if d.MaybeScanArgs(t, "ended", &n) {
		h.Ended = []task.Ended{{Run: run, Rank: n, Started: true, Finalized: true}}
	}
	if d.HasArg("published") {
		h.Published = []pmi.Pair{{Key: "name", Value: "port"}}
	}
	return h
}

func ended(t *testing.T, d *datadriven.TestData, run int) *task.Ended {
	e := &task.Ended{Run: run, Started: !d.HasArg("never-started"), Finalized: true, CPU: time.Second}
	d.ScanArgs(t, "rank", &e.Rank)
	d.MaybeScanArgs(t, "code", &e.Code)
	if d.MaybeScanArgs(t, "signal", &e.Signal) {
		e.Code, e.Finalized, e.Tail = 128+e.Signal, false, "last words"
	}
	if d.HasArg("early") {
		e.Finalized = false
	}
	if d.HasArg("aborted") {
		e.Finalized, e.Aborted = false, true
	}
	e.Stopped = d.HasArg("stopped")
	if d.HasArg("missing") {
		e.Started, e.Finalized = false, false
		e.Fault = core.Errorf(core.Invalid, `command "app" is not in the executor`).Do("ship it")
	}
	return e
}

func (s *story) step(e Event) string {
	var b strings.Builder
	for _, f := range s.m.Step(0, e) {
		fmt.Fprintln(&b, s.show(f))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *story) show(f Effect) string {
	switch f := f.(type) {
	case Send:
		return fmt.Sprintf("%s %d: %s", f.Gang, f.Executor, down(f.Down))
	case Save:
		s.saved = f.State
		return fmt.Sprintf("save: %d restarts, %d worlds", f.State.Restarts, len(f.State.Worlds))
	case Want:
		return fmt.Sprintf("want %s of %d with %s each", f.Ask.Name, f.Ask.Size, f.Ask.CPU)
	case Renew:
		return "renew " + f.Ask.Name
	case Release:
		return "release " + f.Gang
	case Note:
		return "note: " + f.Text
	case End:
		if f.Err == nil {
			return "end"
		}
		e := core.AsError(f.Err)
		text := fmt.Sprintf("end %s: %s\n  at: %s\n  fix: %s\n  exit: %d", e.Kind, e.What, e.Where, e.Remedy, s.m.Report().Exit)
		if e.Detail != "" {
			text += "\n  | " + e.Detail
		}
		return text
	}
	return fmt.Sprintf("%#v", f)
}

func down(d task.Down) string {
	switch {
	case d.Query:
		return "query"
	case d.Begin != nil:
		return fmt.Sprintf("begin run %d, %d ranks, %d each, nodes %v", d.Begin.Run, d.Begin.Size(), d.Begin.PPN, d.Begin.Nodes)
	case d.Fenced != nil:
		return fmt.Sprintf("fenced %d of run %d with %v", d.Fenced.N, d.Fenced.Run, d.Fenced.All)
	case d.Answer != nil:
		return fmt.Sprintf("answer %d: port %q known %t none %t err %v", d.Answer.ID, d.Answer.Port, d.Answer.Known, d.Answer.None, d.Answer.Err)
	case d.Stop != nil:
		return fmt.Sprintf("stop run %d within %s", d.Stop.Run, d.Stop.Grace)
	case d.Dead != nil:
		return fmt.Sprintf("dead %v", d.Dead.Ranks)
	}
	return fmt.Sprintf("%+v", d)
}
