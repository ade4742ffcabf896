package result

import (
	"fmt"
	"strings"
)

// judgeStore holds every way to put and get an object against minio-go's own.
func (r *Result) judgeStore() []Verdict {
	var v []Verdict
	for _, g := range r.Groups(Store) {
		what, lane, _ := strings.Cut(g.Series, ", ")
		peer := Key{Workload: Store, Series: what + ", " + StorePeer, Bytes: g.Bytes}
		if share := r.times(peer, g.Key); lane != StorePeer && share > 0 {
			v = append(v, Verdict{fmt.Sprintf("Rate of a store's %s by %s over minio-go's, %s", what, lane, Size(g.Bytes)), "≥ 80 %",
				fmt.Sprintf("%.0f %%", 100*share), share >= 0.8})
		}
	}
	return v
}

func (r *Result) judgeMesh() []Verdict {
	const small, large = 8, 64 << 20
	key := func(series string, bytes int64) Key { return Key{Workload: Mesh, Series: series, Bytes: bytes} }
	var v []Verdict
	time := func(what, ours string, bytes int64, most float64) {
		if times := r.times(key(ours, bytes), key(MPICH, bytes)); times > 0 {
			v = append(v, Verdict{what + " over MPICH's", fmt.Sprintf("≤ %g×", most), fmt.Sprintf("%.2f×", times), times <= most})
		}
	}
	time("Round trip of 8 B over shared memory", MeshShared, small, 2)
	time("Round trip of 64 MiB, sent,", MeshShared, large, 1)
	time("Round trip of 64 MiB, handed over,", MeshHanded, large, 1)
	for _, peer := range []string{IPerf, IPerfWide} {
		if share := r.times(key(peer, large), key(MeshTCP, large)); share > 0 {
			v = append(v, Verdict{"Rate of 64 MiB over TCP, mTLS off, over that of " + peer, "≥ 90 %", fmt.Sprintf("%.0f %%", 100*share), share >= 0.9})
		}
	}
	if share := r.times(key(MeshTCP, large), key(MeshMTLS, large)); share > 0 {
		v = append(v, Verdict{"Rate of 64 MiB with mTLS over that without", "shown", fmt.Sprintf("%.0f %%", 100*share), true})
	}
	return v
}

// times is how many times b's wall time a's is.
func (r *Result) times(a, b Key) float64 {
	return r.ratio(a, b, func(s Sample) float64 { return s.Wall })
}

// ratio is how many times b's figure a's is: the median over repetitions, each
// of which is held against itself alone, since the machine changes between
// them. It is 0 where no repetition has both.
func (r *Result) ratio(a, b Key, figure func(Sample) float64) float64 {
	of := map[int]float64{}
	for _, s := range r.Samples {
		if s.Key == b {
			of[s.Repetition] = figure(s)
		}
	}
	var ratios []float64
	for _, s := range r.Samples {
		if s.Key == a && of[s.Repetition] > 0 {
			ratios = append(ratios, figure(s)/of[s.Repetition])
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return Of(ratios).Median
}
