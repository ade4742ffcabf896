package result

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudgeSkewAndKill(t *testing.T) {
	r := new(Result)
	add := func(workload, series string, executors int, walls ...float64) {
		for rep, w := range walls {
			r.Samples = append(r.Samples, Sample{Key: Key{Workload: workload, Series: series, Launcher: "process", Executors: executors, Bytes: 1e9},
				Repetition: rep + 1, Wall: w})
		}
	}
	// The machine slows down between repetitions: the pairs tell, not the medians.
	add(Skew, EvenKeys, 2, 1, 2, 9)
	add(Skew, HotKey, 2, 1.1, 2.2, 9.9)
	add(Skew, EvenGroups, 4, 1)
	add(Skew, HotGroup, 4, 1.6)
	add(Kill, Undisturbed, 2, 10, 20, 30)
	add(Kill, KilledMapping, 2, 18, 36, 90)
	add(Kill, KilledReducing, 2, 19, 38, 57)
	add(Kill, Warm(Undisturbed), 4, 10)
	add(Kill, Warm(KilledMapping), 4, 15.7)
	add(Kill, Warm(KilledReducing), 2, 1) // nothing to hold it against
	type verdict struct {
		Goal string
		Kept bool
	}
	got := map[string]verdict{}
	for _, v := range r.Judge() {
		got[v.Measured] = verdict{v.Goal, v.Kept}
	}
	want := map[string]verdict{"1.10×": {"≤ 1.5×", true}, "1.60×": {"≤ 1.5×", false},
		"1.80×": {"≤ 1.88×", true}, "1.90×": {"≤ 1.88×", false}, "1.57×": {"≤ 1.56×", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
