package predict

import (
	"fmt"
	"testing"
)

func TestPredict(t *testing.T) {
	type run struct {
		user, name string
		took       int64
	}
	for _, c := range []struct {
		why        string
		runs       []run
		user, name string
		walltime   int64
		want       int64
	}{
		{"nothing is known but the limit", nil, "ann", "sort", 600, 600},
		{"nothing is known at all", nil, "ann", "sort", 0, 0},
		{"one run", []run{{"ann", "", 100}}, "ann", "", 600, 100},
		{"the mean of two", []run{{"ann", "", 100}, {"ann", "", 201}}, "ann", "", 600, 150},
		{"two odd ones", []run{{"ann", "", 101}, {"ann", "", 201}}, "ann", "", 600, 151},
		{"only the last two", []run{{"ann", "", 9000}, {"ann", "", 100}, {"ann", "", 200}}, "ann", "", 600, 150},
		{"never above the limit", []run{{"ann", "", 9000}}, "ann", "", 600, 600},
		{"at least a millisecond", []run{{"ann", "", 0}}, "ann", "", 600, 1},
		{"the name counts for more", []run{{"ann", "sort", 10}, {"ann", "join", 90}}, "ann", "sort", 600, 10},
		{"a new name has its user's", []run{{"ann", "sort", 10}, {"ann", "join", 90}}, "ann", "scan", 600, 50},
		{"others do not matter", []run{{"bob", "sort", 10}}, "ann", "sort", 600, 600},
		{"without overflow", []run{{"ann", "", 1<<63 - 1}, {"ann", "", 1<<63 - 1}}, "ann", "", 0, 1<<63 - 1},
	} {
		var h History
		for _, r := range c.runs {
			h.Ended(r.user, r.name, r.took)
		}
		if got := h.Predict(c.user, c.name, c.walltime); got != c.want {
			t.Errorf("%s: predicted %d, want %d", c.why, got, c.want)
		}
	}
}

func TestExtend(t *testing.T) {
	for _, c := range []struct{ predicted, ran, walltime, want int64 }{
		{100, 50, 600, 100},
		{100, 100, 600, 200},
		{100, 350, 600, 400},
		{100, 500, 600, 600},
		{0, 5, 0, 8},
		{1, 1 << 62, 0, 1 << 61},
	} {
		if got := Extend(c.predicted, c.ran, c.walltime); got != c.want {
			t.Errorf("Extend(%d, %d, %d) = %d, want %d", c.predicted, c.ran, c.walltime, got, c.want)
		}
	}
}

// TestForgets: law P3. The last ones are remembered, the first are not, and no
// more than two generations are held.
func TestForgets(t *testing.T) {
	var h History
	const users = 3 * Limit
	for i := range users {
		h.Ended(fmt.Sprint("u", i), "", int64(i+1))
	}
	if n := len(h.young) + len(h.old); n > 2*Limit {
		t.Errorf("%d users are held, want at most %d", n, 2*Limit)
	}
	for i := users - Limit; i < users; i++ {
		if got := h.Predict(fmt.Sprint("u", i), "", 0); got != int64(i+1) {
			t.Fatalf("user %d: predicted %d, want %d", i, got, i+1)
		}
	}
	if got := h.Predict("u0", "", 0); got != 0 {
		t.Errorf("the first user is still known: %d", got)
	}
}
