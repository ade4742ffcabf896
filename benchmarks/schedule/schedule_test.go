package schedule

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWorkloads runs each in small: what they check holds, and each has rows.
func TestWorkloads(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			rows, err := Run(t.Context(), Config{Only: []string{name}, Scale: 100, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				t.Fatal("no row")
			}
			for _, r := range rows {
				if r.Workload != name || r.Verdict() != "" {
					t.Errorf("%+v: of another workload, or judged though it was run in small", r)
				}
			}
			var b bytes.Buffer
			if err := Print(&b, rows); err != nil || strings.Count(b.String(), "\n") != len(rows)+1 {
				t.Errorf("%v: %d rows are printed as\n%s", err, len(rows), &b)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for _, v := range []struct {
		row  Row
		want string
	}{
		{Row{Figure: 3, Goal: 3}, "met"},
		{Row{Figure: 3.1, Goal: 3}, "missed"},
		{Row{Figure: 3.1, Goal: 3, More: true}, "met"},
		{Row{Figure: 2.9, Goal: 3, More: true}, "missed"},
		{Row{Figure: 2.9}, ""},
	} {
		if got := v.row.Verdict(); got != v.want {
			t.Errorf("%+v: %q, want %q", v.row, got, v.want)
		}
	}
}

func TestUnknownWorkload(t *testing.T) {
	if _, err := Run(t.Context(), Config{Only: []string{"gangz"}}); err == nil {
		t.Fatal("accepted")
	}
}

// TestOrder: the exponent of a power law is found again.
func TestOrder(t *testing.T) {
	x := []float64{10, 100, 1000}
	if got := order(x, []float64{7, 70, 700}); got < 0.999 || got > 1.001 {
		t.Errorf("order %v of a straight line", got)
	}
}
