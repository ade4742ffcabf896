package simulate

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// starts is when each job starts, in seconds after the first could arrive.
func starts(records []Record) []int64 {
	var out []int64
	for _, r := range records {
		out = append(out, r.Start/1000-1_000_000)
	}
	return out
}

// TestByHand is a day on four CPUs that was worked out with pencil and paper.
//
//	job  arrives  runs  asks  CPUs
//	1    0        8     10    3     runs at once
//	2    1        10    10    4     first in line: free at 10 at the latest, at 8 in fact
//	3    2        5     6     1     done by 8, so it may pass 2
//	4    3        5     9     1     would delay 2
//	5    4        1     2     1     short
func TestByHand(t *testing.T) {
	w := workload(4, job{0, 8, 10, 3}, job{1, 10, 10, 4}, job{2, 5, 6, 1}, job{3, 5, 9, 1}, job{4, 1, 2, 1})
	for policy, want := range map[string][]int64{
		"fcfs":         {0, 8, 18, 18, 18},
		"easy":         {0, 8, 2, 18, 7}, // 5 fits once 3 is done at 7: it asks for 2 and the line moves at 10
		"conservative": {0, 8, 2, 18, 7},
		// At 8 the users of 4 and 2 would come to 24+9 and 1+40 CPU seconds, so
		// 4 is first in line; 2 was told 10+10 and can still have that.
		"promise": {0, 13, 2, 8, 7},
	} {
		o := run(t, w, policy)
		if diff := cmp.Diff(want, starts(o.Records)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", policy, diff)
		}
	}
}

// TestMetrics is the summary of fcfs in TestByHand, by hand: the waits are 0,
// 7, 16, 15 and 14 s, and the whole takes from 0 to 23 s.
func TestMetrics(t *testing.T) {
	w := workload(4, job{0, 8, 10, 3}, job{1, 10, 10, 4}, job{2, 5, 6, 1}, job{3, 5, 9, 1}, job{4, 1, 2, 1})
	got := run(t, w, "fcfs").Summary()
	// Runs count as at least 10 s: 8/10→1, 17/10, 21/10, 20/10, 15/10.
	want := Summary{
		Policy: "fcfs", Jobs: 5,
		Wait:        Spread{Mean: 52.0 / 5, Median: 14, P95: 16, Max: 16},
		Slowdown:    Spread{Mean: (1 + 1.7 + 2.1 + 2 + 1.5) / 5, Median: 1.7, P95: 2.1, Max: 2.1},
		Utilisation: (3*8 + 4*10 + 5 + 5 + 1) / (4 * 23.0), Makespan: 23,
		// user0 has jobs 1 and 4, user1 2 and 5, user2 3.
		Fairness: Fairness{Users: 3, Jain: 5.2 * 5.2 / (1.5*1.5 + 1.6*1.6 + 2.1*2.1) / 3, Worst: "user2", WorstSlowdown: 2.1},
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Under easy, 3 and 5 pass 2; all wait 0, 7, 0, 15, 3.
	easy := run(t, w, "easy").Summary()
	if easy.Wait.Mean != 5 || easy.Backfilled != 2.0/5 {
		t.Errorf("easy: mean wait %g s, %g passed; want 5 s, 0.4", easy.Wait.Mean, easy.Backfilled)
	}
}

func TestPromisesCounted(t *testing.T) {
	w := workload(1, job{0, 5, 10, 1}, job{1, 5, 10, 1}, job{2, 5, 10, 1})
	s := run(t, w, "conservative").Summary()
	// 2 is told 10 and starts at 5; 3 is told 20 and starts at 10.
	if want := (Promises{Made: 2, Kept: 2, Early: 7.5}); s.Promises != want {
		t.Errorf("promises %+v, want %+v", s.Promises, want)
	}
	broken := Promises{}
	broken.add(&Record{Job: &w.Jobs[0], Start: w.Jobs[0].Arrive + 2000, Quote: w.Jobs[0].Arrive + 1000})
	if broken.Made != 1 || broken.Kept != 0 || broken.Share() != 0 {
		t.Errorf("a late start counts as %+v", broken)
	}
}

// tick is the state of a machine that goes on second by second, the oracle for
// the policies: as slow and as plain as can be.
type tick struct {
	w       *Workload
	now     int64
	start   []int64 // -1 while it waits
	waiting []int   // by arrival
}

func (k *tick) second(ms int64) int64 { return ms/1000 - 1_000_000 }
func (k *tick) wall(i int) int64      { return k.w.Jobs[i].Request.Walltime / 1000 }
func (k *tick) width(i int) int64     { return k.w.Jobs[i].Width() }

// free is what is free at a second from now on, if all use their walltime, less
// what is planned: job → start.
func (k *tick) free(at int64, planned map[int]int64) int64 {
	free := k.w.Machine.Width()
	for i, start := range k.start {
		end := start + k.wall(i)
		if at == k.now {
			end = start + k.w.Jobs[i].Holds()/1000
		}
		if start >= 0 && start <= at && at < end && start+k.w.Jobs[i].Holds()/1000 > k.now {
			free -= k.width(i)
		}
	}
	for i, start := range planned {
		if start <= at && at < start+k.wall(i) {
			free -= k.width(i)
		}
	}
	return free
}

// earliest tries one second after the other.
func (k *tick) earliest(i int, planned map[int]int64) int64 {
	for at := k.now; ; at++ {
		fits := true
		for s := at; s < at+k.wall(i) && fits; s++ {
			fits = k.free(s, planned) >= k.width(i)
		}
		if fits {
			return at
		}
	}
}

func (k *tick) begin(i int) {
	k.start[i] = k.now
	k.waiting = slices.DeleteFunc(k.waiting, func(j int) bool { return j == i })
}

// oracle replays w second by second.
func oracle(w *Workload, decide func(*tick)) []int64 {
	k := &tick{w: w, start: make([]int64, len(w.Jobs))}
	for i := range k.start {
		k.start[i] = -1
	}
	for next := 0; next < len(w.Jobs) || len(k.waiting) > 0; k.now++ {
		for ; next < len(w.Jobs) && k.second(w.Jobs[next].Arrive) == k.now; next++ {
			k.waiting = append(k.waiting, next)
		}
		decide(k)
	}
	return k.start
}

func oracleFCFS(k *tick) {
	for len(k.waiting) > 0 && k.free(k.now, nil) >= k.width(k.waiting[0]) {
		k.begin(k.waiting[0])
	}
}

// oracleEASY lets a job pass if the first in line could start no later with it
// than without it.
func oracleEASY(k *tick) {
	oracleFCFS(k)
	if len(k.waiting) == 0 {
		return
	}
	head := k.waiting[0]
	for _, i := range slices.Clone(k.waiting[1:]) {
		if k.free(k.now, nil) < k.width(i) {
			continue
		}
		without := k.earliest(head, nil)
		if k.earliest(head, map[int]int64{i: k.now}) <= without {
			k.begin(i)
		}
	}
}

func oracleConservative(k *tick) {
	planned := map[int]int64{}
	for _, i := range slices.Clone(k.waiting) {
		at := k.earliest(i, planned)
		if at == k.now {
			k.begin(i)
			continue
		}
		planned[i] = at
	}
}

// TestAgainstOracle holds the policies to their definitions on many small
// workloads.
func TestAgainstOracle(t *testing.T) {
	for seed := range uint64(150) {
		w := random(seed, 12)
		for policy, decide := range map[string]func(*tick){"fcfs": oracleFCFS, "easy": oracleEASY, "conservative": oracleConservative} {
			if diff := cmp.Diff(oracle(w, decide), starts(run(t, w, policy).Records)); diff != "" {
				t.Fatalf("%s, seed %d (-oracle +got):\n%s", policy, seed, diff)
			}
		}
	}
}
