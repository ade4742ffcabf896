package simulate

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
)

// pageHTML draws a pageData. It needs no network.
//
//go:embed page.html
var pageHTML string

// pageBins is into how many bins the time of a page's charts is cut.
const pageBins = 1200

// pageJobs is the most jobs whose bars a page holds.
const pageJobs = 20_000

// pageData is what the page's script draws. Times are in seconds after Begin,
// CPU is in whole CPUs.
type pageData struct {
	Name     string
	Machine  string
	CPUs     float64
	Begin    int64 // Unix seconds
	Span     float64
	Notes    []Note
	Users    []string
	Jobs     []pageJob
	All      int // jobs of the workload; more than len(Jobs) if there are too many to draw
	Policies []pagePolicy
}

// pageJob is what is the same under all policies.
type pageJob struct {
	ID     string
	User   int // index of Users
	CPUs   float64
	Arrive float64
	Asked  float64
}

type pagePolicy struct {
	Name    string
	What    string
	Summary Summary
	Busy    []float64 // CPUs in use in each bin, on the mean
	Waiting []float64 // jobs, the most in each bin
	Start   []float64 // of each of Jobs; -1 if it was refused
	End     []float64
	Quote   []float64 // -1 if there was none
}

// Page writes the outcomes of a workload as one HTML page without references
// to anything else.
func Page(out io.Writer, w *Workload, outcomes []*Outcome) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	return t.Execute(out, newPage(w, outcomes))
}

func newPage(w *Workload, outcomes []*Outcome) *pageData {
	begin, end := w.Jobs[0].Arrive, int64(0)
	for _, o := range outcomes {
		for i := range o.Records {
			end = max(end, o.Records[i].End)
		}
	}
	end = max(end, begin+1000)
	d := &pageData{
		Name: w.Name, Machine: w.Machine.String(), CPUs: float64(w.Machine.Width()) / 1000,
		Begin: begin / 1000, Span: seconds(end - begin), Notes: w.Notes, All: len(w.Jobs),
	}
	shown := d.jobs(w, begin)
	for _, o := range outcomes {
		d.Policies = append(d.Policies, d.policy(o, begin, end, shown))
	}
	return d
}

// jobs fills in Users and Jobs, and returns the index of each of Jobs in w. Of
// too many, it takes those in the middle.
func (d *pageData) jobs(w *Workload, begin int64) []int {
	from := max(0, (len(w.Jobs)-pageJobs)/2)
	var shown []int
	users := map[string]int{}
	for i := from; i < len(w.Jobs) && len(shown) < pageJobs; i++ {
		j := &w.Jobs[i]
		u, ok := users[j.Request.User]
		if !ok {
			u = len(d.Users)
			users[j.Request.User] = u
			d.Users = append(d.Users, j.Request.User)
		}
		d.Jobs = append(d.Jobs, pageJob{
			ID: string(j.Request.Job), User: u, CPUs: float64(j.Width()) / 1000,
			Arrive: seconds(j.Arrive - begin), Asked: seconds(j.Request.Walltime),
		})
		shown = append(shown, i)
	}
	return shown
}

func (d *pageData) policy(o *Outcome, begin, end int64, shown []int) pagePolicy {
	p := pagePolicy{Name: o.Policy, Summary: o.Summary()}
	for _, known := range Policies() {
		if known.Name == o.Policy {
			p.What = known.What
		}
	}
	p.Busy, p.Waiting = courses(o.Records, begin, end)
	after := func(t int64) float64 {
		if t == 0 {
			return -1
		}
		return seconds(t - begin)
	}
	for _, i := range shown {
		r := &o.Records[i]
		p.Start, p.End, p.Quote = append(p.Start, after(r.Start)), append(p.End, after(r.End)), append(p.Quote, after(r.Quote))
	}
	return p
}

// courses is the CPUs in use, on the mean of each bin, and the most jobs that
// waited in it.
func courses(records []Record, begin, end int64) (busy, waiting []float64) {
	busy, waiting = make([]float64, pageBins), make([]float64, pageBins)
	width := float64(end-begin) / pageBins
	type change struct {
		at   int64
		cpus float64
		jobs int
	}
	var changes []change
	for i := range records {
		r := &records[i]
		if r.Start == 0 {
			continue
		}
		cpus := float64(r.Job.Width()) / 1000
		changes = append(changes, change{r.Job.Arrive, 0, 1}, change{r.Start, cpus, -1}, change{r.End, -cpus, 0})
	}
	// Who starts at once never waited, so at one time starts come first.
	slices.SortFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(min(max(a.at-b.at, -1), 1))
		}
		return a.jobs - b.jobs
	})
	at, cpus, jobs := begin, 0.0, 0
	spread := func(until int64) {
		for at < until {
			bin := min(pageBins-1, int(float64(at-begin)/width))
			next := min(until, max(at+1, begin+int64(float64(bin+1)*width)))
			busy[bin] += cpus * float64(next-at) / width
			waiting[bin] = max(waiting[bin], float64(jobs))
			at = next
		}
	}
	for _, c := range changes {
		spread(c.at)
		cpus, jobs = cpus+c.cpus, jobs+c.jobs
	}
	spread(end)
	for i := range busy {
		busy[i] = float64(int(max(0, busy[i])*100+0.5)) / 100
	}
	return busy, waiting
}
