package benchmarks

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/peers"
	"github.com/capstan-run/capstan/benchmarks/result"
)

// warmShapes is how many shapes of gangs a host keeps ready in the workloads
// that are about that.
const warmShapes = 2

// builtIn is the word count of built-ins.
func builtIn() job { return variants()[0].job }

// one runs the built-in word count once.
func (b *bench) one(ctx context.Context, p place, text corpus.Text, s *result.Sample) error {
	output := b.fresh("out")
	doc, err := builtIn().document(text.Dir, output, s.Executors)
	if err != nil {
		return err
	}
	_, err = b.run(ctx, p, doc, output, text.Answer, s)
	return err
}

// latency is the workload of that name.
func (b *bench) latency(ctx context.Context) (err error) {
	text, err := b.source.Text(b.JobSize, 1)
	if err != nil {
		return err
	}
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range b.Launchers {
		key := result.Key{Workload: result.Latency, Series: result.FirstJob, Launcher: launcher, Executors: 2, Bytes: b.JobSize}
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			return b.one(ctx, place{state: b.fresh("state"), launcher: launcher}, text, s)
		}})
		p, host, err := b.host(ctx, launcher, warmShapes)
		if err != nil {
			return err
		}
		hosts = append(hosts, host)
		key.Series = result.WarmJob
		warm := contender{key, func(ctx context.Context, s *result.Sample) error {
			if err := b.settle(ctx); err != nil {
				return err
			}
			return b.one(ctx, p, text, s)
		}}
		// A host learns a gang's shape from the first job.
		if err := b.one(ctx, p, text, &result.Sample{Key: key}); err != nil {
			return err
		}
		list = append(list, warm)
	}
	return b.alternate(ctx, list)
}

// settle gives warm hosts their pause.
func (b *bench) settle(ctx context.Context) error {
	t := time.NewTimer(b.Settle)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func stop(err error, hosts []*meter.Server) error {
	for _, h := range hosts {
		err = errors.Join(err, h.Stop())
	}
	return err
}

// files is the workload of that name.
func (b *bench) files(ctx context.Context) error {
	var list []contender
	for _, cut := range []struct {
		series string
		files  int
	}{{result.OneFile, 1}, {result.ManyFiles, b.Files}} {
		b.say("text of %s in %d files: find or make", result.Size(b.FilesSize), cut.files)
		text, err := b.source.Text(b.FilesSize, cut.files)
		if err != nil {
			return err
		}
		for _, launcher := range b.Launchers {
			p := place{state: b.fresh("state"), launcher: launcher}
			key := result.Key{Workload: result.Files, Series: cut.series, Launcher: launcher, Executors: 2, Bytes: b.FilesSize}
			list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
				return b.one(ctx, p, text, s)
			}})
		}
	}
	return b.alternate(ctx, list)
}

// gang is the workload of that name.
func (b *bench) gang(ctx context.Context) (err error) {
	text, err := b.source.Text(b.JobSize, 1)
	if err != nil {
		return err
	}
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range b.Launchers {
		for _, kind := range []struct {
			series string
			warm   int
		}{{result.ColdGang, 0}, {result.WarmGang, warmShapes}} {
			p, host, err := b.host(ctx, launcher, kind.warm)
			if err != nil {
				return err
			}
			hosts = append(hosts, host)
			key := result.Key{Workload: result.Gang, Series: kind.series, Launcher: launcher, Executors: b.GangSize}
			gang := func(ctx context.Context, s *result.Sample) error { return b.gangOnce(ctx, p, text, s) }
			// The binary is copied and the shape is learnt with the first job.
			if err := gang(ctx, &result.Sample{Key: key}); err != nil {
				return err
			}
			list = append(list, contender{key, gang})
		}
		if launcher == "docker" {
			bare, err := b.bareEngine(ctx)
			if err != nil {
				return err
			}
			list = append(list, bare)
		}
	}
	return b.alternate(ctx, list)
}

// gangOnce runs a small job; the sample's wall time is its gang's start.
func (b *bench) gangOnce(ctx context.Context, p place, text corpus.Text, s *result.Sample) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	output := b.fresh("out")
	doc, err := builtIn().document(text.Dir, output, s.Executors)
	if err != nil {
		return err
	}
	j, err := b.run(ctx, p, doc, output, text.Answer, &result.Sample{})
	if err != nil {
		return err
	}
	took, err := b.gangTime(ctx, p, j.ID)
	s.Wall = took.Seconds()
	return err
}

func (b *bench) bareEngine(ctx context.Context) (contender, error) {
	engine, err := peers.OpenEngine(ctx)
	key := result.Key{Workload: result.Gang, Series: result.BareStart, Executors: b.GangSize}
	return contender{key, func(ctx context.Context, s *result.Sample) error {
		if err := b.settle(ctx); err != nil {
			return err
		}
		took, err := engine.Start(ctx, s.Executors)
		s.Wall = took.Seconds()
		return err
	}}, err
}
