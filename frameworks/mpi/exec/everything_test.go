package exec

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// long is how many elements go through a segment.
const long = 100_000

// everything is what testdata's programs of this name do, in the same order.
func everything(ctx context.Context, world *mpi.Comm) error {
	w := &walk{ctx: ctx, world: world, me: world.Rank(), size: world.Size()}
	w.after, w.before = (w.me+1)%w.size, (w.me+w.size-1)%w.size
	w.reductions()
	for root := range w.size {
		w.rooted(root)
	}
	w.everybody()
	w.ring()
	w.requests()
	w.communicators()
	w.do(world.Barrier(ctx))
	if w.err == nil {
		fmt.Printf("rank %d of %d in Go\n", w.me, w.size)
	}
	return w.err
}

// walk goes on until something is not as it should be.
type walk struct {
	ctx                     context.Context // of the one call that this is
	world                   *mpi.Comm
	me, size, after, before int
	err                     error
}

func (w *walk) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *walk) same(what string, got, want any) {
	if w.err == nil && !reflect.DeepEqual(got, want) {
		w.err = fmt.Errorf("%s: %.200v, not %.200v", what, got, want)
	}
}

// mine is the values of a rank.
func mine(rank, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(rank*1000 + i)
	}
	return v
}

// all is those of each rank, as many as of says.
func (w *walk) all(of func(rank int) []float64) []float64 {
	var v []float64
	for r := range w.size {
		v = append(v, of(r)...)
	}
	return v
}

func (w *walk) reductions() {
	total := w.size * (w.size - 1) / 2
	for _, n := range []int{0, 1, 3, long} {
		got, want := mine(w.me, n), make([]float64, n)
		for i := range want {
			want[i] = float64(total*1000 + w.size*i)
		}
		w.do(mpi.Allreduce(w.ctx, w.world, got, mpi.Sum))
		w.same("allreduce", got, want)
	}
	got := mine(w.me, long)
	w.do(mpi.Allreduce(w.ctx, w.world, got, mpi.Max))
	w.same("allreduce in place", got, mine(w.size-1, long))
	for root := range w.size {
		got := []int64{int64(w.me), int64(-w.me)}
		w.do(mpi.Reduce(w.ctx, w.world, root, got, mpi.Min))
		if w.me == root {
			w.same("reduce", got, []int64{0, int64(1 - w.size)})
		}
	}
	one := []int32{int32(w.me + 1)}
	w.do(mpi.Scan(w.ctx, w.world, one, mpi.Sum))
	w.same("scan", int(one[0]), (w.me+1)*(w.me+2)/2)
	one[0] = int32(w.me + 1)
	w.do(mpi.Exscan(w.ctx, w.world, one, mpi.Sum))
	w.same("exscan", int(one[0]), max(w.me*(w.me+1)/2, 1-w.me))
	bits := []uint8{1 << w.me}
	w.do(mpi.Allreduce(w.ctx, w.world, bits, mpi.BitOr))
	w.same("or", int(bits[0]), 1<<w.size-1)
	truth := []int16{int16(w.me)}
	w.do(mpi.Allreduce(w.ctx, w.world, truth, integer[int16](opLand)))
	w.same("and", truth, []int16{0})
	counts, share := make([]int, w.size), make([]float64, w.me+1)
	for r := range counts {
		counts[r] = r + 1
	}
	w.do(mpi.ReduceScatter(w.ctx, w.world, mine(0, total+w.size), counts, share, mpi.Sum))
	for i, v := range share {
		w.same("reduce_scatter", v, float64(w.size*(w.me*(w.me+1)/2+i)))
	}
}

func (w *walk) rooted(root int) {
	ranks := make([]int, w.size)
	for r := range ranks {
		ranks[r] = r
	}
	b := make([]float64, long)
	if w.me == root {
		b = mine(root, long)
	}
	w.do(mpi.Bcast(w.ctx, w.world, root, b))
	w.same("bcast", b, mine(root, long))
	two, some := w.all(func(r int) []float64 { return mine(r, 2) }), w.all(func(r int) []float64 { return mine(r, r) })
	got := make([]float64, 2*w.size)
	w.do(mpi.Gather(w.ctx, w.world, root, mine(w.me, 2), got))
	if w.me == root {
		w.same("gather", got, two)
	}
	got = make([]float64, len(some))
	w.do(mpi.Gatherv(w.ctx, w.world, root, mine(w.me, w.me), ranks, got))
	if w.me == root {
		w.same("gatherv", got, append([]float64{}, some...))
	}
	got = make([]float64, 2)
	w.do(mpi.Scatter(w.ctx, w.world, root, two, got))
	w.same("scatter", got, mine(w.me, 2))
	got = make([]float64, w.me)
	w.do(mpi.Scatterv(w.ctx, w.world, root, some, ranks, got))
	w.same("scatterv", got, mine(w.me, w.me))
}

func (w *walk) everybody() {
	ranks, from := make([]int, w.size), make([]int, w.size)
	out, in := make([]int32, w.size), make([]int32, w.size)
	for r := range ranks {
		ranks[r], from[r], out[r] = r, w.me, int32(w.me*10+r)
	}
	got := make([]float64, 3*w.size)
	w.do(mpi.Allgather(w.ctx, w.world, mine(w.me, 3), got))
	w.same("allgather", got, w.all(func(r int) []float64 { return mine(r, 3) }))
	some := w.all(func(r int) []float64 { return mine(r, r) })
	got = make([]float64, len(some))
	w.do(mpi.Allgatherv(w.ctx, w.world, mine(w.me, w.me), ranks, got))
	w.same("allgatherv", got, append([]float64{}, some...))
	w.do(mpi.Alltoall(w.ctx, w.world, out, in))
	for r, v := range in {
		w.same("alltoall", int(v), r*10+w.me)
	}
	got = make([]float64, w.me*w.size)
	w.do(mpi.Alltoallv(w.ctx, w.world, w.all(func(r int) []float64 { return mine(w.me, r) }), ranks, got, from))
	w.same("alltoallv", got, append([]float64{}, w.all(func(r int) []float64 { return mine(r, w.me) })...))
}

// shift sends along the ring, and receives.
func (w *walk) shift(tag int, data, into []float64) mpi.Status {
	r, err := mpi.Irecv(w.ctx, w.world, w.before, tag, into)
	w.do(err)
	w.do(mpi.Send(w.ctx, w.world, w.after, tag, data))
	if w.err != nil {
		return mpi.Status{}
	}
	s, err := r.Wait(w.ctx)
	w.do(err)
	return s
}

func (w *walk) ring() {
	for _, n := range []int{0, 5, long} {
		got := make([]float64, n)
		s := w.shift(7, mine(w.me, n), got)
		w.same("sendrecv", got, mine(w.before, n))
		w.same("status", s, mpi.Status{Source: w.before, Tag: 7, Count: n})
	}
	data, got := make([]float64, long), make([]float64, long)
	data[0], data[long-1] = float64(w.me), -float64(w.me)
	w.shift(8, data, got)
	w.same("shared memory", []float64{got[0], got[long-1]}, []float64{float64(w.before), -float64(w.before)})
}

func (w *walk) send(tag int, values ...int32) {
	w.do(mpi.Send(w.ctx, w.world, w.after, tag, values))
}

func (w *walk) recv(tag int) int32 {
	got := make([]int32, 1)
	_, err := mpi.Recv(w.ctx, w.world, w.before, tag, got)
	w.do(err)
	return got[0]
}

func (w *walk) requests() {
	w.send(9, int32(w.me), int32(w.me))
	_, k, err := w.world.Probe(w.ctx, w.before, mpi.AnyTag)
	w.do(err)
	w.same("probe", k, reflect.Int32)
	got := make([]int32, 2)
	_, err = mpi.Recv(w.ctx, w.world, mpi.AnySource, mpi.AnyTag, got)
	w.do(err)
	w.same("receive", got, []int32{int32(w.before), int32(w.before)})
	w.send(10, int32(w.me))
	w.same("soon", w.recv(10), int32(w.before))
	w.do(w.world.Barrier(w.ctx))
	w.send(20, int32(-w.me))
	w.same("late", w.recv(20), int32(-w.before))
	w.do(w.world.Barrier(w.ctx))
	for i := range int32(40) {
		w.send(30, i)
	}
	for i := range int32(40) {
		w.same("order", w.recv(30), i)
	}
	x := make([]byte, 1)
	r, err := mpi.Irecv(w.ctx, w.world, w.before, 31, x)
	w.do(err)
	sent, err := mpi.Issend(w.ctx, w.world, w.after, 31, []byte("x"))
	w.do(err)
	if w.err == nil {
		w.do(mpi.WaitAll(w.ctx, r, sent))
	}
	w.same("ssend", x, []byte("x"))
}

func (w *walk) communicators() {
	half, err := w.world.Split(w.ctx, w.me%2, -w.me)
	w.do(err)
	if w.err != nil {
		return
	}
	got, want := make([]int32, half.Size()), []int32{}
	w.do(mpi.Allgather(w.ctx, half, []int32{int32(w.me)}, got))
	for r := range w.size {
		if r%2 == w.me%2 {
			want = append(want, int32(r))
		}
	}
	slices.Reverse(want)
	w.same("split", got, want)
	color := mpi.Undefined
	if w.me == 0 {
		color = 0
	}
	alone, err := w.world.Split(w.ctx, color, 0)
	w.do(err)
	w.same("split with color -1", alone == nil, w.me > 0)
	twin, err := w.world.Dup(w.ctx)
	w.do(err)
	if w.err != nil {
		return
	}
	w.do(mpi.Send(w.ctx, twin, w.after, 50, []int32{1}))
	w.send(50, 2)
	w.same("world", w.recv(50), int32(2))
	one := make([]int32, 1)
	_, err = mpi.Recv(w.ctx, twin, w.before, 50, one)
	w.do(err)
	w.same("twin", one, []int32{1})
	twin.Free()
	host, err := w.world.SplitByHost(w.ctx)
	w.do(err)
	if w.err == nil {
		w.same("split_host", host.Size(), w.size)
	}
}

// Ranks in Go, C and Python use all that there is, in worlds of any mixture.
func TestEverything(t *testing.T) {
	inGo, inC, inPython := goRank("everything"), guest(compiled(t, "everything")), guest(python(t), "testdata/everything.py")
	for _, ranks := range [][]rank{{inPython}, {inC}, {inC, inPython}, {inGo, inC, inPython}, {inPython, inC, inGo, inPython, inC}} {
		for r, e := range play(t, ranks...) {
			if e.code != 0 || !e.Finalized || !strings.HasPrefix(e.output, fmt.Sprintf("rank %d of %d in ", r, len(ranks))) {
				t.Errorf("of %d ranks %d ended with %d, %+v %v\n%s", len(ranks), r, e.code, e.Ending, e.err, e.output)
			}
		}
	}
}
