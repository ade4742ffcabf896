package coordinate

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story drives one machine through a text file.
type story struct {
	cfg   Config
	m     *Machine
	saved Tally
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := new(story)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.command(t, d) })
	})
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	gang, rank := "main", 0
	d.MaybeScanArgs(t, "gang", &gang)
	d.MaybeScanArgs(t, "rank", &rank)
	switch d.Cmd {
	case "new":
		s.begin(t, d)
		return ""
	case "generation": // a new coordinator after a crash
		s.cfg.FirstTry += 100
		s.m = New(s.cfg, s.saved.clone())
		return s.step(Begin{})
	case "up":
		e := GangUp{Gang: gang, Resumed: d.HasArg("resumed")}
		for r := range s.cfg.Gang.Size {
			e.Nodes = append(e.Nodes, core.NodeID("n"+strconv.Itoa(r)))
		}
		var lost int
		if d.MaybeScanArgs(t, "lost", &lost) {
			e.Lost = []int{lost}
		}
		return s.step(e)
	case "done":
		return s.step(FromRank{gang, rank, task.Up{Done: s.done(t, d, gang, rank)}})
	case "holds":
		h := new(task.Holds)
		d.MaybeScanArgs(t, "running", &h.Running)
		if d.HasArg("code") {
			h.Done = s.done(t, d, gang, rank)
		}
		return s.step(FromRank{gang, rank, task.Up{Holds: h}})
	case "lost":
		return s.step(RankLost{gang, rank, "out of memory"})
	case "replaced":
		return s.step(RankReplaced{gang, rank})
	case "give-way":
		left := 20
		d.MaybeScanArgs(t, "left", &left)
		return s.step(GiveWay{Gang: gang, Left: time.Duration(left) * time.Second, Reason: "job big needs its place", Final: d.HasArg("final")})
	case "stay":
		return s.step(Stay{Gang: gang})
	case "refused":
		var text string
		d.ScanArgs(t, "elements", &text)
		a, err := core.ParseArray(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.step(Refused{a.Ranges, core.Errorf(core.Failed, "3 starts in a row came to nothing")})
	case "cancel":
		return s.step(CancelAsked{"cancelled by the user"})
	case "saved":
		return s.step(Saved{})
	case "written":
		if d.HasArg("fails") {
			return s.step(Written{core.Errorf(core.Failed, "no space left")})
		}
		return s.step(Written{})
	case "progress":
		p := s.m.Progress()
		return fmt.Sprintf("%+v\n%v %q\n", p.Stages[0], p.Counters, p.Note)
	case "report":
		return s.report()
	}
	t.Fatalf("unknown command %q", d.Cmd)
	return ""
}

func (s *story) begin(t *testing.T, d *datadriven.TestData) {
	b, err := spec.Parse([]byte(`{"script": "#!/bin/sh\n"}`))
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = Config{Job: "job", Body: b, Gang: core.GangAsk{Name: "main", Gang: core.Gang{Size: 1, Restart: "member"}}}
	s.saved = Tally{}
	var array, roles string
	d.MaybeScanArgs(t, "size", &s.cfg.Gang.Size)
	d.MaybeScanArgs(t, "per", &b.Per)
	d.MaybeScanArgs(t, "retries", &b.Retries)
	d.MaybeScanArgs(t, "restart", &s.cfg.Gang.Restart)
	if d.MaybeScanArgs(t, "roles", &roles) { // name:size:restart,…
		s.cfg.Gang.Size = 0
		for _, r := range strings.Split(roles, ",") {
			f := strings.Split(r, ":")
			n, _ := strconv.Atoi(f[1])
			s.cfg.Gang.Roles = append(s.cfg.Gang.Roles, core.Role{Name: f[0], Size: n, Restart: f[2]})
			s.cfg.Gang.Size += n
		}
	}
	var code int
	if d.MaybeScanArgs(t, "retry-on", &code) {
		b.RetryOn = []int{code}
	}
	if d.MaybeScanArgs(t, "success", &code) {
		b.Success = []int{0, code}
	}
	if d.MaybeScanArgs(t, "array", &array) {
		if s.cfg.Array, err = core.ParseArray(array); err != nil {
			t.Fatal(err)
		}
	}
	s.m = New(s.cfg, Tally{})
}

// done is the end of a rank's present try, unless another is named.
func (s *story) done(t *testing.T, d *datadriven.TestData, gang string, rank int) *task.Done {
	o := &task.Done{Wall: time.Second, CPU: time.Second / 2, MaxRSS: 1 << 20, Stopped: d.HasArg("stopped"), TimedOut: d.HasArg("timed-out")}
	if g := s.m.gangs[gang]; g.has(rank) {
		o.Try = g.ranks[rank].try
	}
	d.MaybeScanArgs(t, "try", &o.Try)
	d.MaybeScanArgs(t, "code", &o.Code)
	if d.MaybeScanArgs(t, "signal", &o.Signal) {
		o.Code = 128 + o.Signal
	}
	if d.HasArg("streams") {
		o.Streams = []string{"stdout"}
	}
	if d.HasArg("missing") {
		o.Fault = core.Errorf(core.Invalid, `command "nope" is not in the executor`).Do("ship it")
	}
	if o.Code != 0 {
		o.Tail = "last words"
	}
	return o
}

func (s *story) step(e Event) string {
	var b strings.Builder
	for _, f := range s.m.Step(e) {
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
		switch d := f.Down; {
		case d.Run != nil:
			return fmt.Sprintf("%s %d: run try %d", f.Gang, f.Rank, d.Run.Try)
		case d.Stop != nil:
			when := ""
			if d.Stop.After > 0 {
				when = fmt.Sprintf("in %s ", d.Stop.After)
			}
			if d.Stop.Off {
				return fmt.Sprintf("%s %d: no stop", f.Gang, f.Rank)
			}
			return fmt.Sprintf("%s %d: stop %swithin %s", f.Gang, f.Rank, when, d.Stop.Grace)
		}
		return fmt.Sprintf("%s %d: ask", f.Gang, f.Rank)
	case Write:
		return fmt.Sprintf("write %s of %s %d on %s, index %q, try %d", f.Streams, f.Gang, f.Rank, f.Node, f.Index, f.Try)
	case Save:
		s.saved = f.Tally
		return fmt.Sprintf("save ok %q failed %q", list(s.cfg.Array, f.Tally.OK, 0), list(s.cfg.Array, f.Tally.Failed, 0))
	case Release:
		return "release " + f.Gang
	case EndGang:
		return fmt.Sprintf("end gang %s ok=%t", f.Gang, f.OK)
	case Note:
		return "note: " + f.Text
	case End:
		if f.Err == nil {
			return "end"
		}
		e := core.AsError(f.Err)
		text := fmt.Sprintf("end %s: %s\n  at: %s\n  fix: %s", e.Kind, e.What, e.Where, e.Remedy)
		if e.Detail != "" {
			text += "\n  | " + e.Detail
		}
		return text
	}
	return fmt.Sprintf("%#v", f)
}

func (s *story) report() string {
	r := s.m.Report()
	var b strings.Builder
	fmt.Fprintln(&b, r.Counters)
	if t := r.Preview; t != nil {
		fmt.Fprintln(&b, t.Title)
		fmt.Fprintln(&b, strings.Join(t.Columns, " | "))
		for _, row := range t.Rows {
			fmt.Fprintln(&b, strings.Join(row, " | "))
		}
	}
	return b.String()
}
