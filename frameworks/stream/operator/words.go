package operator

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// stripes is into how many splits the numbers of "words" fall: for ever.
const stripes = 64

// vocabulary is what Storm's TestWordSpout draws from.
func vocabulary() []string { return []string{"nathan", "mike", "jackson", "golda", "bertels"} }

// words emits word k of a sequence from stripe k % stripes.
type words struct {
	with   WordsWith
	names  []string // the stripes of this task, in order
	next   splits   // by stripe, the number of its next word
	turn   int
	schema *arrow.Schema
	list   []string
	batch  int64
}

func newWords(m Make) (Source, error) {
	with, err := decode[WordsWith](m)
	if err != nil {
		return nil, err
	}
	if with.Count == 0 {
		with.Count = math.MaxInt64 - stripes
	}
	w := &words{with: with, next: splits{}, list: vocabulary(), batch: int64(m.Batch), schema: topology.Schema(m.Task.Component.Outputs[0].Fields)}
	for s := m.Task.Index; s < stripes; s += m.Task.Component.Tasks {
		name := strconv.Itoa(s)
		w.names = append(w.names, name)
		w.next[name] = int64(s)
	}
	return w, nil
}

func (w *words) Position() json.RawMessage { return w.next.position() }

func (w *words) Seek(positions []json.RawMessage) error { return w.next.seek(positions) }

// Next emits the words of one stripe, and takes the next stripe in turn.
func (w *words) Next(_ context.Context, out Emitter) (bool, error) {
	for range w.names {
		name := w.names[w.turn]
		w.turn = (w.turn + 1) % len(w.names)
		if k := w.next[name]; k < w.with.Count {
			b := array.NewStringBuilder(memory.DefaultAllocator)
			n := int64(0)
			for ; n < w.batch && k < w.with.Count; n++ {
				b.Append(w.list[mix(uint64(w.with.Seed), uint64(k))%uint64(len(w.list))])
				k += stripes
			}
			w.next[name] = k
			return true, out.Emit(0, array.NewRecord(w.schema, []arrow.Array{b.NewArray()}, n))
		}
	}
	return false, nil
}

// mix is a hash of a seed and a number (splitmix64, Steele et al. 2014).
func mix(seed, k uint64) uint64 {
	z := seed + (k+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
