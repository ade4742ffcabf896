package benchmarks

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/benchmarks/terasort"
	"github.com/capstan-run/capstan/core"
)

// disturbed is a sort that may lose an executor. Its output must be, byte by
// byte, that of the first one.
type disturbed struct {
	in    records
	first string // directory of that output, once there is one
}

// kill is the workload of that name.
func (b *bench) kill(ctx context.Context) error {
	for _, size := range b.Sizes {
		if err := b.room(size, 4); err != nil { // as of a sort, and the first output
			return err
		}
		d := disturbed{in: records{dir: b.fresh("records"), size: size}}
		b.say("records of %s: make", result.Size(size))
		var err error
		if d.in.want, err = terasort.Generate(ctx, d.in.dir, size/terasort.RecordLength, runtime.NumCPU()); err != nil {
			return err
		}
		if err := b.killOf(ctx, &d); err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(d.in.dir), os.RemoveAll(d.first)); err != nil {
			return err
		}
	}
	return nil
}

// killOf runs the sort undisturbed and disturbed, on hosts that keep no gang
// ready and on hosts that do. A lost executor's successor is started anew on
// both: gangs kept ready are for gangs. A host sees gangs of one shape only, so
// that it is known whose the executors are that it keeps ready.
func (b *bench) killOf(ctx context.Context, d *disturbed) (err error) {
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range b.Launchers {
		for _, n := range b.Gangs {
			for _, warm := range []int{0, warmShapes} {
				p, host, err := b.host(ctx, launcher, warm)
				if err != nil {
					return err
				}
				hosts = append(hosts, host)
				key := result.Key{Workload: result.Kill, Launcher: launcher, Executors: n, Bytes: d.in.size}
				// A host learns a gang's shape from the first job, which also is the
				// first to have the machine's caches.
				if err := b.disturb(ctx, p, d, "", &result.Sample{Key: key}); err != nil {
					return err
				}
				list = append(list, b.disturbances(p, d, warm > 0, key)...)
			}
		}
	}
	return b.alternate(ctx, list)
}

// disturbances are the sorts of one host.
func (b *bench) disturbances(p place, d *disturbed, warm bool, key result.Key) []contender {
	var list []contender
	for _, of := range []struct{ series, stage string }{{result.Undisturbed, ""}, {result.KilledMapping, "map"}, {result.KilledReducing, "reduce"}} {
		key.Series = of.series
		if warm {
			key.Series = result.Warm(of.series)
		}
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			if warm {
				if err := b.settle(ctx); err != nil {
					return err
				}
			}
			return b.disturb(ctx, p, d, of.stage, s)
		}})
	}
	return list
}

// disturb sorts once, and kills an executor in the middle of a stage, if one is
// named.
func (b *bench) disturb(ctx context.Context, p place, d *disturbed, stage string, s *result.Sample) error {
	output := b.fresh("out")
	doc, err := sortDocument(d.in.dir, output, s.Executors)
	if err != nil {
		return err
	}
	id := b.jobID()
	var j *core.Job
	if stage == "" {
		j, err = b.runJob(ctx, p, id, doc, s)
	} else {
		err = besides(ctx, func(ctx context.Context) error {
			k := killer{place: p, job: id, stage: stage, turn: s.Repetition}
			return k.kill(ctx)
		}, func(ctx context.Context) (err error) {
			j, err = b.runJob(ctx, p, id, doc, s)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := told(j, stage != ""); err != nil {
		return err
	}
	return d.check(ctx, output)
}

// told reports whether the job's notes tell of a lost executor exactly if it
// lost one: a run in which nobody was hit is no sample.
func told(j *core.Job, want bool) error {
	notes := j.Outcome.Report.Notes
	if got := slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "was lost") }); got != want {
		return core.Errorf(core.Failed, "an executor was killed: %t; the job's notes tell of a loss: %t: %q", want, got, notes).At(string(j.ID))
	}
	return nil
}

// check holds an output against the first one, and removes it.
func (d *disturbed) check(ctx context.Context, output string) error {
	if d.first != "" {
		if err := terasort.Same(ctx, d.first, output); err != nil {
			return core.Errorf(core.Failed, "the outputs differ: %v", err).At(output)
		}
		return os.RemoveAll(output)
	}
	got, err := terasort.Validate(ctx, output)
	if err != nil {
		return core.Errorf(core.Failed, "the output is not sorted: %v", err).At(output)
	}
	d.first = output
	return d.in.same(got, output)
}

// besides runs work and something beside it, whose context ends with work.
func besides(ctx context.Context, beside, work func(context.Context) error) error {
	within, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- beside(within) }()
	err := work(ctx)
	stop(errOver)
	return errors.Join(err, <-done)
}
