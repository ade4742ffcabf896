package vertex_test

import (
	"flag"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
)

var scale = flag.Int("scale", 16, "of the benchmark's graph")

// BenchmarkPageRank is 20 supersteps of PageRank by Compute, on two ranks of
// this process. edges/s counts the supersteps alone.
func BenchmarkPageRank(b *testing.B) {
	l := of(graphtest.RMAT(*scale, 16, 1), false)
	for name, c := range map[string]vertex.Combiner[float64]{"sum": vertex.Sum[float64](),
		"function": vertex.Combine(func(a, b float64) float64 { return a + b }), "none": {}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				r := peertest.Run(b, 2, pageRankProgram(c, false), l.reads(b, 2), func(_ int, c *peer.Config) { c.Memory = 4 << 30 })
				busy, n := 0.0, 0
				for _, s := range r.Supersteps {
					if s.Active > 0 {
						busy += (s.Compute + s.Send + s.Wait).Seconds()
						n++
					}
				}
				edges := float64(int(16) << *scale)
				b.ReportMetric(edges*float64(iterations)/busy/1e6, "Medges/s")
				b.ReportMetric(busy/float64(n)*1e3, "ms/superstep")
			}
		})
	}
}
