package simulate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// job is one of a hand-made workload, in seconds.
type job struct{ arrive, run, wall, cpus int64 }

// workload is a machine of so many CPUs and jobs that are called 1, 2, ….
func workload(cpus int, jobs ...job) *Workload {
	w := &Workload{Machine: Uniform(cpus, core.Resources{CPU: 1000})}
	for i, j := range jobs {
		id := core.JobID(fmt.Sprint(i + 1))
		w.Jobs = append(w.Jobs, Job{Arrive: (1_000_000 + j.arrive) * 1000, Run: j.run * 1000, Request: gang.Request{
			Gang: gang.IDOf(id, "main"), Job: id, User: fmt.Sprint("user", i%3), Size: int(j.cpus),
			Each: core.Resources{CPU: 1000}, Walltime: j.wall * 1000,
		}})
	}
	w.sort()
	return w
}

// random is a small workload of any kind.
func random(seed uint64, jobs int) *Workload {
	r := rand.New(rand.NewPCG(seed, 7))
	cpus := 1 + r.Int64N(8)
	var list []job
	at := int64(0)
	for range jobs {
		at += r.Int64N(6)
		wall := 1 + r.Int64N(20)
		list = append(list, job{at, 1 + r.Int64N(wall+3), wall, 1 + r.Int64N(cpus)})
	}
	return workload(int(cpus), list...)
}

func run(t *testing.T, w *Workload, policy string) *Outcome {
	t.Helper()
	o, err := Run(w, policy, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// check holds an outcome to what is true under every policy.
func check(t *testing.T, w *Workload, o *Outcome) {
	t.Helper()
	type change struct{ at, width int64 }
	var changes []change
	for i, r := range o.Records {
		switch {
		case r.Job != &w.Jobs[i]:
			t.Fatalf("%s: record %d is not of job %d", o.Policy, i, i)
		case r.Start < r.Job.Arrive:
			t.Fatalf("%s: job %s starts at %d and arrives at %d", o.Policy, r.Job.Request.Job, r.Start, r.Job.Arrive)
		case r.End != r.Start+r.Job.Holds():
			t.Fatalf("%s: job %s holds its CPUs for %d ms, want %d", o.Policy, r.Job.Request.Job, r.End-r.Start, r.Job.Holds())
		}
		changes = append(changes, change{r.Start, r.Job.Width()}, change{r.End, -r.Job.Width()})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.width, b.width)) })
	used := int64(0)
	for _, c := range changes {
		if used += c.width; used > w.Machine.Width() {
			t.Fatalf("%s: %d of %d milli-CPUs are in use at %d", o.Policy, used, w.Machine.Width(), c.at)
		}
	}
}

func TestInvariants(t *testing.T) {
	for seed := range uint64(100) {
		w := random(seed, 30)
		for _, p := range Policies() {
			check(t, w, run(t, w, p.Name))
		}
	}
}

// TestPromises: under promise, every quoted start is kept, whatever comes.
func TestPromises(t *testing.T) {
	waited := 0
	for seed := range uint64(120) {
		w := random(seed, 60)
		for _, depth := range []int{1, 4, 65} {
			records := simulateOn(w, &promise{depth: depth, heads: 2, slack: 1, budget: 10_000})
			for _, r := range records {
				if r.Quote != 0 && r.Start > r.Quote {
					t.Fatalf("seed %d, depth %d: job %s was told %d and started at %d", seed, depth, r.Job.Request.Job, r.Quote, r.Start)
				}
				if r.Quote != 0 && r.wait() > 0 {
					waited++
				}
			}
		}
	}
	if waited < 500 {
		t.Errorf("only %d jobs waited under a promise", waited)
	}
}

// TestDeterministic: law M1.
func TestDeterministic(t *testing.T) {
	w, err := Model{Seed: 3, Jobs: 150, CPUs: 64, Load: 0.8}.Workload()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Model{Seed: 3, Jobs: 150, CPUs: 64, Load: 0.8}.Workload()
	for _, p := range Policies() {
		first, second := asJSON(t, run(t, w, p.Name)), asJSON(t, run(t, again, p.Name))
		if first != second {
			t.Errorf("%s: two replays differ", p.Name)
		}
	}
}

func asJSON(t *testing.T, o *Outcome) string {
	t.Helper()
	b, err := json.Marshal(struct {
		Records []Record
		Summary Summary
	}{o.Records, o.Summary()})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPromiseAgainstEasy: on workloads it was not tuned on, promise beats easy
// on both means, and nobody waits for much longer than the longest of fcfs.
func TestPromiseAgainstEasy(t *testing.T) {
	for i, m := range []Model{
		{Seed: 201, Jobs: 3000, CPUs: 100, Load: 0.6},
		{Seed: 202, Jobs: 3000, CPUs: 256, Load: 0.75},
		{Seed: 203, Jobs: 3000, CPUs: 600, Load: 0.85},
	} {
		w, err := m.Workload()
		if err != nil {
			t.Fatal(err)
		}
		fcfs, easy, got := run(t, w, "fcfs").Summary(), run(t, w, "easy").Summary(), run(t, w, "promise").Summary()
		t.Logf("%d: wait %.0f s (easy %.0f s), slowdown %.1f (%.1f), longest %.0f s (fcfs %.0f s), %d of %d promises kept", i,
			got.Wait.Mean, easy.Wait.Mean, got.Slowdown.Mean, easy.Slowdown.Mean, got.Wait.Max, fcfs.Wait.Max, got.Promises.Kept, got.Promises.Made)
		if got.Wait.Mean > easy.Wait.Mean || got.Slowdown.Mean > easy.Slowdown.Mean {
			t.Errorf("%d: promise is behind easy", i)
		}
		if got.Wait.Max > 1.25*fcfs.Wait.Max {
			t.Errorf("%d: somebody waits for %.0f s, and under fcfs for at most %.0f s", i, got.Wait.Max, fcfs.Wait.Max)
		}
		if got.Promises.Kept != got.Promises.Made {
			t.Errorf("%d: %d of %d promises are kept", i, got.Promises.Kept, got.Promises.Made)
		}
	}
}

// TestHPC2N holds the policies to what was measured on the whole trace, whose
// path is in CAPSTAN_SWF.
func TestHPC2N(t *testing.T) {
	path := os.Getenv("CAPSTAN_SWF")
	if path == "" {
		t.Skip("set CAPSTAN_SWF to the first 3,170 records of the HPC2N Seth log")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := SWF{Name: path, From: f, Nodes: 120, CPUs: 2}.Workload()
	if err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[string][3]float64{
		"fcfs": {5615, 47.4, 78505}, "easy": {3534, 16.5, 81059}, "easy-sjf": {3179, 14.7, 94173},
		"easy-fair": {2352, 11.1, 100916}, "promise": {2520, 12.4, 98131},
	} {
		s := run(t, w, policy).Summary()
		if len(w.Jobs) != 3145 || s.Wait.Mean > want[0] || s.Slowdown.Mean > want[1] || s.Wait.Max > want[2] || s.Promises.Share() < 0.99 {
			t.Errorf("%s: %d jobs, mean wait %.0f s, bounded slowdown %.1f, longest wait %.0f s; want at most %v", policy, s.Jobs, s.Wait.Mean, s.Slowdown.Mean, s.Wait.Max, want)
		}
	}
}
