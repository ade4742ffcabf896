package simulate

import (
	"math"
	"testing"
)

// TestModel: the jobs fit the machine, the load is what was asked for, and
// widths, run times and the days have about the shapes they are drawn from.
func TestModel(t *testing.T) {
	m := Model{Seed: 5, Jobs: 8000, CPUs: 256, Load: 0.7}
	w, err := m.Workload()
	if err != nil {
		t.Fatal(err)
	}
	var work, serial, powers, night float64
	users := map[string]bool{}
	for i, j := range w.Jobs {
		q := j.Request
		if q.Size < 1 || q.Size > m.CPUs || j.Run < 1000 || j.Run > q.Walltime || i > 0 && j.Arrive < w.Jobs[i-1].Arrive {
			t.Fatalf("job %d: %d CPUs, %d of %d ms, at %d", i, q.Size, j.Run, q.Walltime, j.Arrive)
		}
		work += float64(j.Run) * float64(q.Size)
		if q.Size == 1 {
			serial++
		}
		if q.Size&(q.Size-1) == 0 {
			powers++
		}
		if hour := (j.Arrive - 1_000_000_000_000) / 3_600_000 % 24; hour < 6 {
			night++
		}
		users[q.User] = true
	}
	n := float64(len(w.Jobs))
	span := float64(w.Jobs[len(w.Jobs)-1].Arrive - 1_000_000_000_000)
	if load := work / span / float64(m.CPUs); math.Abs(load-m.Load) > 0.02 {
		t.Errorf("the load is %.3f, want %.2f", load, m.Load)
	}
	for _, c := range []struct {
		what             string
		got, least, most float64
	}{
		{"serial jobs", serial / n, 0.18, 0.4}, // 0.244, and narrow jobs that round to 1
		{"powers of two", powers / n, 0.75, 0.95},
		{"arrivals in the first quarter of the day", night / n, 0, 0.25},
		{"users", float64(len(users)), 40, 60},
	} {
		if c.got < c.least || c.got > c.most {
			t.Errorf("%s: %.3f, want %g to %g", c.what, c.got, c.least, c.most)
		}
	}
}

func TestParseModel(t *testing.T) {
	for text, want := range map[string]Model{
		"":                                {1, 4000, 240, 0.8},
		"load=0.5":                        {1, 4000, 240, 0.5},
		"seed=9,jobs=10,cpus=3,load=1.25": {9, 10, 3, 1.25},
	} {
		if got, err := ParseModel(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"seed", "jobs=many", "load=", "colour=red"} {
		if _, err := ParseModel(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	for _, m := range []Model{{1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1, math.NaN()}, {1, most + 1, 1, 1}} {
		if _, err := m.Workload(); err == nil {
			t.Errorf("%+v makes a workload", m)
		}
	}
}
