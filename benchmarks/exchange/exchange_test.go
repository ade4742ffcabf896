package exchange

import (
	"fmt"
	"testing"
)

// TestEveryTierMeasures runs a small round of each: law E1 is the test.
func TestEveryTierMeasures(t *testing.T) {
	for _, tier := range []Tier{File, Arena, Memory} {
		for _, budget := range []int64{0, 300 << 10} {
			r, err := Measure(t.Context(), Config{Dir: t.TempDir(), Rows: 20_000, Partitions: 7, Tier: tier, Budget: budget, Rounds: 1})
			if err != nil {
				t.Fatalf("%s, budget %d: %v", tier, budget, err)
			}
			if r.Overhead < 1 || r.Overhead > 1.3 {
				t.Errorf("%s, budget %d: %.3f bytes for each byte of rows", tier, budget, r.Overhead)
			}
		}
	}
	if _, err := Measure(t.Context(), Config{Dir: t.TempDir(), Tier: "tape"}); err == nil {
		t.Error("an unknown tier is measured")
	}
}

// BenchmarkExchange is the local exchange of 64 MB.
func BenchmarkExchange(b *testing.B) {
	for _, dir := range []string{"", "/dev/shm"} {
		for _, tier := range []Tier{File, Arena, Memory} {
			if dir != "" && tier == Memory {
				continue
			}
			for _, parts := range []int{200, 2000} {
				b.Run(fmt.Sprintf("%s%s/%d", tier, dir, parts), func(b *testing.B) {
					bench(b, dir, Config{Partitions: parts, Tier: tier})
				})
			}
		}
	}
}

// BenchmarkCodecs is the same through compressed files.
func BenchmarkCodecs(b *testing.B) {
	for _, codec := range []string{"lz4", "zstd"} {
		b.Run(codec, func(b *testing.B) { bench(b, "", Config{Codec: codec}) })
	}
}

// BenchmarkSpill passes the budget eight times.
func BenchmarkSpill(b *testing.B) { bench(b, "", Config{Budget: 16 << 20}) }

func bench(b *testing.B, dir string, c Config) {
	if c.Dir = dir; dir == "" {
		c.Dir = b.TempDir()
	}
	c.Rounds = max(b.N, 1)
	b.ResetTimer()
	r, err := Measure(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(r.Rate, "MB/cpu-s")
	b.ReportMetric(r.Best, "best-MB/cpu-s")
	b.ReportMetric(r.Write, "write-MB/cpu-s")
	b.ReportMetric(r.Read, "read-MB/cpu-s")
	b.ReportMetric(r.OfMemcpy(), "of-memcpy")
	b.ReportMetric(r.OfWrite(), "of-write")
	b.ReportMetric(r.Overhead, "bytes/byte")
}
