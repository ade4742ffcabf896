package simulate

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Record is what became of one job. Times are Unix milliseconds.
type Record struct {
	Job        *Job
	Start, End int64 // 0 if it was refused
	Quote      int64 // the latest start it was told while it waited; 0 for none
}

// quote notes what a job is told, the first time.
func (r *Record) quote(at int64) {
	if r.Quote == 0 {
		r.Quote = at
	}
}

func (r *Record) wait() int64 { return r.Start - r.Job.Arrive }

// boundedSlowdown is how many times longer than its run the job took; for the
// sake of very short ones, than its run or 10 s (Feitelson, Rudolph 1998).
func (r *Record) boundedSlowdown() float64 {
	const tau = 10_000
	run := r.End - r.Start
	return max(1, float64(r.wait()+run)/float64(max(run, tau)))
}

// Outcome is one replay of a workload.
type Outcome struct {
	Policy  string
	Machine Machine
	Records []Record // by arrival
	// Steps is how long each decision took; nil if nobody looked at a clock.
	Steps []time.Duration
}

// Summary is an outcome in numbers. Times are in seconds, shares between 0 and
// 1. Speed is nil if no clock was given; all else is the same for the same
// workload.
type Summary struct {
	Policy      string   `json:"policy"`
	Jobs        int      `json:"jobs"` // that ran
	Refused     int      `json:"refused,omitempty"`
	Wait        Spread   `json:"wait"`
	Slowdown    Spread   `json:"boundedSlowdown"`
	Utilisation float64  `json:"utilisation"` // of the CPU, from the first arrival to the last end
	Makespan    float64  `json:"makespan"`
	Fairness    Fairness `json:"fairness"`
	// Backfilled is the share of jobs that started while an earlier one waited.
	Backfilled float64  `json:"backfilled"`
	Promises   Promises `json:"promises"`
	Speed      *Speed   `json:"speed,omitempty"`
}

// Spread is how a value is distributed over the jobs.
type Spread struct {
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

// Fairness compares the users by the mean bounded slowdown of their jobs.
type Fairness struct {
	Users int     `json:"users"`
	Jain  float64 `json:"jain"` // Jain's index: 1 if all fare alike, 1/Users if one bears it all
	Worst string  `json:"worst"`
	// WorstSlowdown is the mean bounded slowdown of the user who fares worst.
	WorstSlowdown float64 `json:"worstSlowdown"`
}

// Promises counts the jobs that waited and were told a start.
type Promises struct {
	Made int `json:"made"`
	Kept int `json:"kept"`
	// Early is by how many seconds the kept ones started before their quote,
	// on the mean.
	Early float64 `json:"early"`
}

// Share is how many were kept; 1 if there was none to keep.
func (p Promises) Share() float64 {
	if p.Made == 0 {
		return 1
	}
	return float64(p.Kept) / float64(p.Made)
}

// Speed is how fast the decisions came.
type Speed struct {
	Steps     int     `json:"steps"`
	PerSecond float64 `json:"perSecond"`
	P99       float64 `json:"p99"` // seconds
	Max       float64 `json:"max"`
}

// Summary computes the numbers of an outcome.
func (o *Outcome) Summary() Summary {
	s := Summary{Policy: o.Policy}
	var waits, slowdowns []float64
	var last, work int64
	for i := range o.Records {
		r := &o.Records[i]
		if r.Start == 0 {
			s.Refused++
			continue
		}
		waits = append(waits, seconds(r.wait()))
		slowdowns = append(slowdowns, r.boundedSlowdown())
		last = max(last, r.End)
		work += (r.End - r.Start) * r.Job.Width() / 1000
		s.Promises.add(r)
	}
	s.Jobs = len(waits)
	s.Speed = speed(o.Steps)
	if s.Jobs == 0 {
		return s
	}
	s.Wait, s.Slowdown = spread(waits), spread(slowdowns)
	span := last - o.Records[0].Job.Arrive
	s.Makespan = seconds(span)
	s.Utilisation = float64(work) / float64(span) / (float64(o.Machine.Width()) / 1000)
	s.Fairness = fairness(o.Records)
	s.Backfilled = float64(backfilled(o.Records)) / float64(s.Jobs)
	if s.Promises.Kept > 0 {
		s.Promises.Early /= float64(s.Promises.Kept)
	}
	return s
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func (p *Promises) add(r *Record) {
	if r.Quote == 0 || r.wait() == 0 {
		return
	}
	p.Made++
	if r.Start <= r.Quote {
		p.Kept++
		p.Early += seconds(r.Quote - r.Start)
	}
}

func spread(values []float64) Spread {
	slices.Sort(values)
	var sum float64
	for _, v := range values {
		sum += v
	}
	at := func(percent int) float64 { return values[(len(values)*percent+99)/100-1] }
	return Spread{Mean: sum / float64(len(values)), Median: at(50), P95: at(95), Max: at(100)}
}

func fairness(records []Record) Fairness {
	type share struct{ sum, n float64 }
	users := map[string]share{}
	for i := range records {
		if r := &records[i]; r.Start != 0 {
			u := users[r.Job.Request.User]
			users[r.Job.Request.User] = share{u.sum + r.boundedSlowdown(), u.n + 1}
		}
	}
	f := Fairness{Users: len(users)}
	var sum, squares float64
	for _, name := range slices.Sorted(maps.Keys(users)) {
		mean := users[name].sum / users[name].n
		sum += mean
		squares += mean * mean
		if mean > f.WorstSlowdown {
			f.Worst, f.WorstSlowdown = name, mean
		}
	}
	f.Jain = sum * sum / squares / float64(len(users))
	return f
}

// backfilled is how many jobs started while one that had come before them
// still waited.
func backfilled(records []Record) int {
	n := 0
	latest := int64(0) // start among those that came before
	for i := range records {
		r := &records[i]
		if r.Start == 0 {
			continue
		}
		if r.Start < latest {
			n++
		}
		latest = max(latest, r.Start)
	}
	return n
}

func speed(steps []time.Duration) *Speed {
	if len(steps) == 0 {
		return nil
	}
	sorted := slices.SortedFunc(slices.Values(steps), cmp.Compare[time.Duration])
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	return &Speed{
		Steps:     len(sorted),
		PerSecond: float64(len(sorted)) / max(sum.Seconds(), 1e-9),
		P99:       sorted[(len(sorted)*99+99)/100-1].Seconds(),
		Max:       sorted[len(sorted)-1].Seconds(),
	}
}
