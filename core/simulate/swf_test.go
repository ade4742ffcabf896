package simulate

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

const header = "; MaxNodes: 4\n; MaxProcs: 8\n; UnixStartTime: 1000\n"

func readSWF(s string) (*Workload, error) {
	return SWF{Name: "t.swf", From: strings.NewReader(s)}.Workload()
}

func TestSWF(t *testing.T) {
	w, err := readSWF(header + strings.Join([]string{
		"1 0 5 100 2 -1 -1 2 600 -1 1 7 1 3 1 1 -1 -1",
		"2 10 -1 2.5 -1 -1 -1 3 60 2048 0 -1 -1 -1 1 1 -1 -1   extra fields do not matter",
		"",
		"; a comment in between",
		"3 20 -1 -1 2 -1 -1 2 60 -1 1 1 1 1 1 1 -1 -1",   // no run time
		"4 20 -1 -1 2 -1 -1 2 60 -1 5 1 1 1 1 1 -1 -1",   // cancelled in the queue
		"5 20 -1 30 -1 -1 -1 -1 60 -1 1 1 1 1 1 1 -1 -1", // no width
		"6 20 -1 30 2 -1 -1 2 60 -1 3 1 1 1 1 1 -1 -1",   // part of another
		"7 20 -1 30 9 -1 -1 9 60 -1 1 1 1 1 1 1 -1 -1",   // wider than the machine
		"1 20 -1 30 2 -1 -1 2 60 -1 1 1 1 1 1 1 -1 -1",   // number 1 again
		"8 -1 -1 30 2 -1 -1 2 60 -1 1 1 1 1 1 1 -1 -1",   // no submit time
		"9 5 -1 30 2 -1 -1 2 -1 -1 1 1 1 1 1 1 -1 -1",    // no walltime
		"10 30 -1 90 2 -1 -1 2 60 -1 0 1 1 1 1 1 -1 -1",  // longer than it asked
		"11 31 -1 9 2 -1 -1 2 60 -1 5 1 1 1 1 1 -1 -1",   // cancelled while it ran
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Uniform(4, core.Resources{CPU: 2000}), w.Machine); diff != "" {
		t.Errorf("the machine (-want +got):\n%s", diff)
	}
	type line struct {
		Job, User, Name   string
		Arrive, Run, Wall int64
		Size              int
	}
	var got []line
	for _, j := range w.Jobs {
		q := j.Request
		got = append(got, line{string(q.Gang), q.User, q.Name, j.Arrive, j.Run, q.Walltime, q.Size})
	}
	want := []line{
		{"1/main", "user7", "program3", 1000_000, 100_000, 600_000, 2},
		{"9/main", "user1", "program1", 1005_000, 30_000, 30_000, 2},
		{"2/main", "", "", 1010_000, 2_500, 60_000, 3},
		{"10/main", "user1", "program1", 1030_000, 90_000, 60_000, 2},
		{"11/main", "user1", "program1", 1031_000, 9_000, 60_000, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	notes := map[string]int{}
	for _, n := range w.Notes {
		notes[n.What] = n.Count
	}
	for _, what := range []string{
		"no run time is known: left out", "cancelled before it ran: left out", "no number of processors is known: left out",
		"part of a job that was checkpointed, which has a record of its own: left out", "larger than the machine: left out",
		"its job number was used before: left out", "no submit time is known: left out",
		"no requested time is known: what it used stands for it", "ran longer than it had asked for: ended at its walltime",
	} {
		if notes[what] != 1 {
			t.Errorf("%d records are noted as %q, want 1 (%v)", notes[what], what, notes)
		}
	}
}

func TestSWFMachine(t *testing.T) {
	const record = "1 0 5 100 6 -1 -1 6 600 1024 1 7 1 3 1 1 -1 -1\n"
	for _, c := range []struct {
		why        string
		header     string
		nodes, cpu int
		memory     core.Bytes
		want       string
	}{
		{"from the header", header, 0, 0, 0, "4 nodes of 2 cpu"},
		{"the header is overruled", header, 120, 2, 0, "120 nodes of 2 cpu"},
		{"only the nodes are given", header, 3, 0, 0, "3 nodes of 3 cpu"},
		{"only the processors are given", header, 0, 4, 0, "2 nodes of 4 cpu"},
		{"nothing is known", "", 0, 0, 0, "6 nodes of 1 cpu"},
		{"with memory", header, 0, 0, 1 << 30, "4 nodes of 2 cpu, 1Gi memory"},
	} {
		w, err := SWF{From: strings.NewReader(c.header + record), Nodes: c.nodes, CPUs: c.cpu, Memory: c.memory}.Workload()
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if got := w.Machine.String(); got != c.want {
			t.Errorf("%s: the machine is %s, want %s", c.why, got, c.want)
		}
		if asks := w.Jobs[0].Request.Each.Memory; (asks == 1<<20) != (c.memory > 0) {
			t.Errorf("%s: an executor asks for %d bytes", c.why, asks)
		}
	}
}

func TestSWFFaults(t *testing.T) {
	const good = "1 0 5 100 6 -1 -1 6 600 -1 1 7 1 3 1 1 -1 -1\n"
	for _, c := range []struct {
		text, what string
		lines      []int
	}{
		{good + "1 2 3\n" + good + "2 0 5 abc 6 -1 -1 6 600 -1 1 7 1 3 1 1 -1 -1\n", "2 lines of the trace are no records", []int{2, 4}},
		{"2 0 5 NaN 6 -1 -1 6 600 -1 1 7 1 3 1 1 -1 -1\n", "1 lines of the trace", []int{1}},
		{"2 0 5 1e300 6 -1 -1 6 600 -1 1 7 1 3 1 1 -1 -1\n", "1 lines of the trace", []int{1}},
		{"", "no job to replay", nil},
		{"; MaxProcs: 2\n" + good, "no job of the trace fits on 2 nodes of 1 cpu", nil},
		{good + strings.Repeat("1", longestLine+1), "line 2 of the trace cannot be read", nil},
	} {
		_, err := readSWF(c.text)
		var e *core.Error
		if !errors.As(err, &e) || e.Kind != core.Invalid || !strings.Contains(e.What, c.what) || e.Where != "t.swf" || e.Remedy == "" {
			t.Errorf("%.40q: %#v, want %q", c.text, err, c.what)
			continue
		}
		var lines []int
		for _, d := range e.Diagnostics {
			lines = append(lines, d.Line)
		}
		if diff := cmp.Diff(c.lines, lines); diff != "" {
			t.Errorf("%.40q: lines (-want +got):\n%s", c.text, diff)
		}
	}
}

// TestExcerpt replays the first hundred records of a real trace.
func TestExcerpt(t *testing.T) {
	f, err := os.Open("testdata/hpc2n-excerpt.swf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := SWF{Name: f.Name(), From: f, Nodes: 120, CPUs: 2}.Workload()
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Jobs) != 94 {
		t.Errorf("%d jobs, want 94", len(w.Jobs))
	}
	for _, p := range Policies() {
		check(t, w, run(t, w, p.Name))
	}
}

// FuzzSWF: whatever is read can be replayed.
func FuzzSWF(f *testing.F) {
	f.Add(header+"1 0 5 100 2 -1 -1 2 600 -1 1 7 1 3 1 1 -1 -1\n2 0 5 1 9 -1 -1 2 6 -1 1 7 1 3 1 1 -1 -1\n", 0, 0)
	f.Add("1 0 5 0 2 -1 -1 2 0 -1 1 7 1 3 1 1 -1 -1\n", 2, 1)
	f.Add("; MaxNodes: 99999999999999999999\n1 1e11 5 1e11 1e11 -1 -1 2 600 1e11 1 1e11 1 3 1 1 -1 -1\n", -1, 5)
	f.Fuzz(func(t *testing.T, text string, nodes, cpus int) {
		w, err := SWF{Name: "t.swf", From: strings.NewReader(text), Nodes: nodes, CPUs: cpus, Memory: 1 << 30}.Workload()
		if err != nil {
			if e := new(core.Error); !errors.As(err, &e) {
				t.Fatalf("%v is no *core.Error", err)
			}
			return
		}
		if len(w.Jobs) > 50 || len(w.Machine.Nodes) > 1000 {
			return
		}
		for _, p := range []string{"fcfs", "easy", "conservative", "promise"} {
			check(t, w, run(t, w, p))
		}
	})
}
