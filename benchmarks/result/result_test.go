package result

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{9, 1, 2}, Spread{1, 2, 9}},
		{[]float64{4, 1, 2, 9}, Spread{1, 3, 9}},
	} {
		if got := Of(c.in); got != c.want {
			t.Errorf("Of(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{7: "7 B", 999: "999 B", 1000: "1 kB", 90e6: "90 MB", 999_400_000: "999 MB", 999_999_999: "1 GB", 25.3e9: "25.3 GB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func sample(series string, executors int, wall float64) Sample {
	s := Sample{Key: Key{Workload: WordCount, Series: series, Executors: executors, Bytes: 1e9}, Wall: wall, Input: 1e9, CPU: 5}
	if executors > 0 {
		s.Launcher, s.Workers = "process", 4
	}
	return s
}

func TestSummariseGroupsByKey(t *testing.T) {
	groups := Summarise([]Sample{sample(BuiltIn, 1, 6), sample(Single, 0, 5), sample(BuiltIn, 1, 8), sample(BuiltIn, 2, 4)})
	var got []int
	for _, g := range groups {
		got = append(got, g.Runs)
	}
	if diff := cmp.Diff([]int{2, 1, 1}, got); diff != "" {
		t.Error(diff)
	}
	if groups[0].Wall != (Spread{6, 7, 8}) {
		t.Errorf("%+v", groups[0])
	}
}

func TestRatesTakeTheScriptOff(t *testing.T) {
	s := Sample{Input: 100e6, CPU: 5, Workers: 4, Script: 3}
	if s.Rate() != 50 || s.WorkerRate() != 100 {
		t.Errorf("%v, %v", s.Rate(), s.WorkerRate())
	}
	if r := (Sample{Input: 1, Workers: 0}).WorkerRate(); r != 0 {
		t.Errorf("without CPU time the rate is %v", r)
	}
}

func TestCost(t *testing.T) {
	groups := Summarise([]Sample{sample(Single, 0, 5), sample(BuiltIn, 1, 6), sample(BuiltIn, 4, 3), sample(BuiltIn, 2, 4)})
	if n := Cost(groups, BuiltIn, "process", 1e9); n != 2 {
		t.Errorf("%d executors", n)
	}
	if n := Cost(groups, Typed, "process", 1e9); n != 0 {
		t.Errorf("%d executors of a series that did not run", n)
	}
}

func TestJudge(t *testing.T) {
	r := &Result{Samples: []Sample{
		sample(Single, 0, 5), sample(BuiltIn, 2, 4), sample(SparkRDD, 0, 41), sample(SparkSQL, 0, 39),
		{Key: Key{Workload: Gang, Series: ColdGang, Executors: 8, Launcher: "docker"}, Wall: 1.3},
		{Key: Key{Workload: Gang, Series: BareStart, Executors: 8}, Wall: 1.01},
		{Key: Key{Workload: Latency, Series: WarmJob, Bytes: 1e6, Launcher: "docker"}, Wall: 0.31},
		{Key: Key{Workload: Files, Series: ManyFiles, Bytes: 1e6}, Wall: 2},
		{Key: Key{Workload: Files, Series: OneFile, Bytes: 1e6}, Wall: 1},
	}}
	got := map[string]bool{}
	for _, v := range r.Judge() {
		got[v.Measured] = v.Kept
	}
	want := map[string]bool{"250 MB/s per core": true, "10.2×": true, "9.8×": false, "with 2": true, "1.29×": true, "0.31 s": false, "2.00×": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
