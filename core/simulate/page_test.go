package simulate

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
)

// drawn is the data in a page, as a browser would read it.
func drawn(t *testing.T, w *Workload, policies ...string) (pageData, string) {
	t.Helper()
	var outcomes []*Outcome
	for _, p := range policies {
		outcomes = append(outcomes, run(t, w, p))
	}
	var b strings.Builder
	if err := Page(&b, w, outcomes); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^const D = (.*);$`).FindStringSubmatch(b.String())
	if m == nil {
		t.Fatal("the page has no data")
	}
	var d pageData
	if err := json.Unmarshal([]byte(m[1]), &d); err != nil {
		t.Fatal(err)
	}
	return d, b.String()
}

func TestPage(t *testing.T) {
	w := workload(4, job{0, 8, 10, 3}, job{1, 10, 10, 4}, job{2, 5, 6, 1}, job{3, 5, 9, 1}, job{4, 1, 2, 1})
	w.Name = `</script><script>alert("x")`
	w.Jobs[0].Request.User = "<b>ann"
	d, text := drawn(t, w, "fcfs", "conservative")
	if d.Name != w.Name || d.Users[0] != "<b>ann" || strings.Contains(text, "<b>ann") || strings.Count(text, "</script>") != 1 {
		t.Error("names are not escaped")
	}
	if strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "http") {
		t.Error("the page refers to the network")
	}
	if len(d.Policies) != 2 || len(d.Jobs) != 5 || d.All != 5 || d.CPUs != 4 || d.Span != 23 {
		t.Errorf("%d policies, %d of %d jobs, %g CPUs, %g s; want 2, 5 of 5, 4, 23", len(d.Policies), len(d.Jobs), d.All, d.CPUs, d.Span)
	}
	fcfs := d.Policies[0]
	if fcfs.Start[1] != 8 || fcfs.End[1] != 18 || fcfs.Quote[1] != -1 || d.Policies[1].Quote[1] != 10 {
		t.Errorf("job 2: %v to %v", fcfs.Start[1], fcfs.End[1])
	}
}

// TestCourses: what is drawn has the work of the jobs, and the longest queue.
func TestCourses(t *testing.T) {
	w := workload(4, job{0, 8, 10, 3}, job{1, 10, 10, 4}, job{2, 5, 6, 1}, job{3, 5, 9, 1}, job{4, 1, 2, 1})
	o := run(t, w, "fcfs")
	begin := w.Jobs[0].Arrive
	busy, waiting := courses(o.Records, begin, begin+23_000)
	sum, most := 0.0, 0.0
	for i := range busy {
		sum += busy[i] * 23 / pageBins
		most = max(most, waiting[i])
	}
	if math.Abs(sum-75) > 0.5 || most != 4 {
		t.Errorf("%g CPU seconds and at most %g waiting, want 75 and 4", sum, most)
	}
	at := func(s float64) int { return int(s / 23 * pageBins) }
	if math.Abs(busy[at(4)]-3) > 0.1 || math.Abs(busy[at(12)]-4) > 0.1 || waiting[at(3.5)] != 3 || waiting[at(20)] != 0 {
		t.Errorf("at 4 s %g CPUs, at 12 s %g, waiting at 3.5 s %g and at 20 s %g", busy[at(4)], busy[at(12)], waiting[at(3.5)], waiting[at(20)])
	}
}
