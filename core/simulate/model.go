package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// Model is a synthetic workload: widths, run times and the daily cycle after
// Lublin and Feitelson (The workload on parallel supercomputers, JPDC 2003),
// with users who come in bouts and repeat themselves, and who ask for a round
// number of hours of which they use any share. The same Model gives the same
// workload.
type Model struct {
	Seed uint64
	Jobs int
	CPUs int     // of the machine: so many nodes of one
	Load float64 // the work of all jobs over what the machine could do meanwhile, above 0
}

// ParseModel reads "seed=1,jobs=4000,cpus=240,load=0.8". What is left out is as
// in this.
func ParseModel(text string) (Model, error) {
	m := Model{Seed: 1, Jobs: 4000, CPUs: 240, Load: 0.8}
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		var err error
		switch key {
		case "":
		case "seed":
			m.Seed, err = strconv.ParseUint(value, 10, 64)
		case "jobs":
			m.Jobs, err = strconv.Atoi(value)
		case "cpus":
			m.CPUs, err = strconv.Atoi(value)
		case "load":
			m.Load, err = strconv.ParseFloat(value, 64)
		default:
			err = fmt.Errorf("nothing is called %q", key)
		}
		if err != nil {
			return m, core.Errorf(core.Invalid, "model %q: %v", text, err).Do(`write it as "seed=1,jobs=4000,cpus=240,load=0.8"`)
		}
	}
	return m, nil
}

// most is how many jobs a Model may have.
const most = 1 << 20

// The shapes that Lublin and Feitelson found in the logs of all jobs, batch
// and interactive.
const (
	serialShare, powerOf2Share    = 0.244, 0.576
	lowWidth, middleOffset        = 0.8, 2.5 // logarithms; the middle lies so far under the whole machine
	lowerShare                    = 0.86
	shortShape, shortScale        = 4.2, 0.94 // of the logarithm of the run time, a mixture of two gammas
	longShape, longScale          = 312, 0.03
	shortAtWidth0, shortPerWidth  = 0.78, -0.0054
	gapShape, gapScale            = 10.2303, 0.4871
	cycleShape, cycleScale        = 8.1737, 3.9631
	cycleBuckets, cycleStart      = 48, 10 // half hours; the day begins at 05:00
	quietest                      = 0.05   // of a mean half hour, so that time goes on
	longestLogarithm              = 12
	users                         = 60
	stays, repeats, dies, usesAll = 0.65, 0.6, 0.1, 0.12
)

// rounds is what people ask for, in seconds: 5 minutes to 5 days.
var rounds = [...]int64{300, 600, 900, 1800, 3600, 7200, 14400, 21600, 28800, 43200, 64800, 86400, 129600, 172800, 259200, 432000}

// Workload draws the jobs.
func (m Model) Workload() (*Workload, error) {
	if m.Jobs < 1 || m.Jobs > most || m.CPUs < 1 || m.CPUs > largest || !(m.Load >= 0.01 && m.Load <= 100) {
		e := core.Errorf(core.Invalid, "a model of %d jobs on %d CPUs at load %g makes no workload", m.Jobs, m.CPUs, m.Load)
		return nil, e.Do("give at least one job and CPU, and a load between 0.01 and 100")
	}
	d := draw{rand.New(rand.NewPCG(m.Seed, 1))}
	w := &Workload{
		Name:    fmt.Sprintf("model:seed=%d,jobs=%d,cpus=%d,load=%g", m.Seed, m.Jobs, m.CPUs, m.Load),
		Machine: Uniform(m.CPUs, core.Resources{CPU: 1000}),
	}
	last := make([]Job, users+1)
	user, work := 0, 0.0
	gaps := make([]float64, m.Jobs)
	for i := range gaps {
		if user == 0 || d.Float64() >= stays {
			user = d.user()
		}
		j := last[user]
		if j.Request.Size == 0 || d.Float64() >= repeats {
			j = m.job(d, user)
			last[user] = j
		}
		j.Run = d.again(&j)
		j.Request.Job = core.JobID(strconv.Itoa(i + 1))
		j.Request.Gang = gang.IDOf(j.Request.Job, "main")
		w.Jobs = append(w.Jobs, j)
		work += float64(j.Run) * float64(j.Request.Size)
		gaps[i] = math.Exp(d.gamma(gapShape, gapScale))
	}
	m.arrive(w, gaps, work/1000/float64(m.CPUs)/m.Load)
	return w, nil
}

// arrive spreads the gaps over span seconds, as the day goes.
func (m Model) arrive(w *Workload, gaps []float64, span float64) {
	sum := 0.0
	for _, g := range gaps {
		sum += g
	}
	cycle, t := cycle(), 0.0
	const bucket = 24 * 3600.0 / cycleBuckets
	for i := range gaps {
		left := gaps[i] * span / sum
		for left > 0 {
			busy, room := cycle[int(t/bucket)%cycleBuckets], bucket-math.Mod(t, bucket)
			if left <= room*busy {
				t += left / busy
				break
			}
			left -= room * busy
			t += room
		}
		w.Jobs[i].Arrive = 1_000_000_000_000 + millis(math.Floor(t))
	}
}

// cycle is how busy each half hour is, 1 on the mean.
func cycle() (c [cycleBuckets]float64) {
	lg, _ := math.Lgamma(cycleShape)
	sum := 0.0
	for i := range c {
		x := float64(i) + 0.5
		p := math.Exp((cycleShape-1)*math.Log(x) - x/cycleScale - cycleShape*math.Log(cycleScale) - lg)
		c[(i+cycleStart)%cycleBuckets] = p
		sum += p
	}
	for i := range c {
		c[i] = max(quietest, c[i]/sum*cycleBuckets)
	}
	return c
}

// job draws a job that its user has not run before.
func (m Model) job(d draw, user int) Job {
	width := d.width(m.CPUs)
	run := d.run(width)
	use := d.Float64()
	if d.Float64() < usesAll {
		use = 1
	}
	wall := rounds[len(rounds)-1]
	for _, r := range rounds {
		if float64(r) >= run/max(use, 0.01) {
			wall = r
			break
		}
	}
	return Job{Run: millis(run), Request: gang.Request{
		Size: width, Each: core.Resources{CPU: 1000}, Walltime: wall * 1000, User: fmt.Sprintf("user%02d", user),
	}}
}

// draw is a source of random values.
type draw struct{ *rand.Rand }

// gamma draws from a gamma distribution (Marsaglia, Tsang 2000). shape is at
// least 1.
func (d draw) gamma(shape, scale float64) float64 {
	a := shape - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		x := d.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(d.Float64()) < 0.5*x*x+a-a*v+a*math.Log(v) {
			return a * v * scale
		}
	}
}

// user draws one, the n-th with a weight of 1/n.
func (d draw) user() int {
	sum := 0.0
	for i := 1; i <= users; i++ {
		sum += 1 / float64(i)
	}
	at := d.Float64() * sum
	for i := 1; i < users; i++ {
		if at -= 1 / float64(i); at <= 0 {
			return i
		}
	}
	return users
}

func (d draw) width(cpus int) int {
	if d.Float64() < serialShare {
		return 1
	}
	whole := math.Log2(float64(cpus))
	middle := max(lowWidth, whole-middleOffset)
	x := middle + (whole-middle)*d.Float64()
	if d.Float64() < lowerShare {
		x = lowWidth + (middle-lowWidth)*d.Float64()
	}
	width := math.Exp2(x)
	if d.Float64() < powerOf2Share/(1-serialShare) {
		width = math.Exp2(math.Round(x))
	}
	return max(1, min(cpus, int(math.Round(width))))
}

// run draws a run time in seconds.
func (d draw) run(width int) float64 {
	for {
		shape, scale := float64(shortShape), float64(shortScale)
		if d.Float64() >= shortPerWidth*float64(width)+shortAtWidth0 {
			shape, scale = longShape, longScale
		}
		if x := d.gamma(shape, scale); x < longestLogarithm {
			return max(1, math.Exp(x))
		}
	}
}

// again is the run time of a job that its user runs once more: a similar one,
// or that of an early death.
func (d draw) again(j *Job) int64 {
	run := float64(j.Run) * math.Exp(0.4*d.NormFloat64())
	if d.Float64() < dies {
		run *= 0.05
	}
	return max(1000, min(int64(run), j.Request.Walltime))
}
