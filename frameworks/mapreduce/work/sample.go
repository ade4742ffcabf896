package work

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

const (
	// sampleBytes is how much of a range is read for a sample.
	sampleBytes = 256 << 10
	// sampleRanges is how many ranges of a split are looked at.
	sampleRanges = 4
	// sampleKeys is how many keys a sample has at most.
	sampleKeys = 1000
)

// runSample maps a little of the split and answers keys that came out, in order.
func (t *try) runSample(ctx context.Context) (*task.Done, error) {
	t.run = sampled(t.run, t.plan.body.Input.Format)
	t.state.split = t.run.Split
	keys := &keySample{order: t.plan.order, random: rand.New(rand.NewPCG(uint64(t.run.Task.Index), 1))}
	done := &task.Done{}
	if err := t.mapInput(ctx, keys, done); err != nil {
		return nil, err
	}
	done.Keys = keys.list()
	return done, nil
}

// sampled is r over a part of its split: the middle of some of its ranges. Ranges
// of Parquet and Arrow stay whole: what begins in their middle may be nothing.
// The reader takes little of a Parquet range (input.Options.Sample); an Arrow
// stream it has to read to its end.
func sampled(r *task.Run, format string) *task.Run {
	s := *r
	s.Split = input.Split{Columns: r.Split.Columns}
	whole := format == "parquet" || format == "arrow"
	step := max(1, len(r.Split.Ranges)/sampleRanges)
	for i := 0; i < len(r.Split.Ranges); i += step {
		g := r.Split.Ranges[i]
		if !whole && g.Codec == "" && g.Length > sampleBytes {
			g.Offset += (g.Length - sampleBytes) / 2
			g.Length = sampleBytes
		}
		s.Split.Ranges = append(s.Split.Ranges, g)
		s.Split.Bytes += g.Length
	}
	return &s
}

// keySample keeps a uniform sample of the keys emitted to it (Vitter's
// algorithm R). Its seed is the task's number: a try answers what the last did.
type keySample struct {
	order  Order
	random *rand.Rand
	seen   int64
	keys   [][]byte
}

func (s *keySample) Emit(key, _ []byte) error {
	s.seen++
	if len(s.keys) < sampleKeys {
		s.keys = append(s.keys, bytes.Clone(key))
		return nil
	}
	if i := s.random.Int64N(s.seen); i < sampleKeys {
		s.keys[i] = append(s.keys[i][:0], key...)
	}
	return nil
}

func (s *keySample) EmitInt(key []byte, _ int64) error     { return s.Emit(key, nil) }
func (s *keySample) EmitFloat(key []byte, _ float64) error { return s.Emit(key, nil) }

func (s *keySample) list() [][]byte {
	slices.SortFunc(s.keys, s.order.Compare)
	return s.keys
}

// Bounds picks the upper bounds of all partitions but the last from sampled
// keys, so that each partition gets about as many of them: what a range
// shuffle's task.Run.Bounds should be. Equal keys make fewer bounds than asked
// for. keys is not changed.
func Bounds(b *spec.Body, functions Registry, keys [][]byte, parts int) ([][]byte, error) {
	p, err := newPlan(b, functions)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, p.order.Compare)
	var bounds [][]byte
	for i := 1; i < parts; i++ {
		k := keys[i*len(keys)/parts]
		if n := b.Shuffle.PartitionFields; n > 0 {
			k = keyFields(k, []byte(p.separator), n)
		}
		if len(bounds) == 0 || p.order.Compare(bounds[len(bounds)-1], k) < 0 {
			bounds = append(bounds, k)
		}
	}
	return bounds, nil
}
