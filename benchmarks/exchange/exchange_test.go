package exchange

import (
	"fmt"
	"testing"
	"time"

	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	m.Run()
}

// TestEveryTierMeasures runs a small round of each: law E1 is the test.
func TestEveryTierMeasures(t *testing.T) {
	client := openStore(t)
	for _, tier := range []Tier{File, Arena, Memory, Store} {
		for _, budget := range []int64{0, 300 << 10} {
			r, err := Measure(t.Context(), Config{Dir: t.TempDir(), Rows: 20_000, Partitions: 7, Tier: tier, Budget: budget, Rounds: 1, Store: client})
			if err != nil {
				t.Fatalf("%s, budget %d: %v", tier, budget, err)
			}
			if r.Overhead < 1 || r.Overhead > 1.3 {
				t.Errorf("%s, budget %d: %.3f bytes for each byte of rows", tier, budget, r.Overhead)
			}
		}
	}
	d, err := MeasureDisk(t.Context(), Config{Dir: t.TempDir(), Rows: 20_000, Partitions: 7, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if spilled := d.Written - int64(1.09*float64(d.Rows)); spilled < d.Rows/4 || d.Raw <= 0 || d.Wall <= 0 || d.Idle() <= 0 || d.Idle() >= 1 {
		t.Errorf("beyond its budget an exchange of %d bytes wrote %d", d.Rows, d.Written)
	}
	q, err := MeasureRequests(t.Context(), client, t.TempDir(), Load{Executors: 2, Waves: 2, Tasks: 3, Partitions: 10, Rows: 2000})
	if err != nil || q.Gets == 0 || q.Puts > q.MaxPuts || float64(q.Gets) > q.MaxGets {
		t.Errorf("%+v, %v", q, err)
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

// BenchmarkSweep goes over bytes, partitions, tiers and codecs.
func BenchmarkSweep(b *testing.B) {
	client := openStore(b)
	for _, rows := range []int{160_000, 640_000} {
		for _, parts := range []int{20, 200, 2000} {
			for _, tier := range []Tier{Memory, Arena, File, Store} {
				for _, codec := range []string{"none", "lz4", "zstd"} {
					if codec != "none" && (tier == Memory || tier == Arena) {
						continue
					}
					b.Run(fmt.Sprintf("%dMB/%d/%s/%s", rows/10_000, parts, tier, codec), func(b *testing.B) {
						bench(b, "", Config{Rows: rows, Partitions: parts, Tier: tier, Codec: codec, Store: client})
					})
				}
			}
		}
	}
}

// BenchmarkTogether is the tiers read partition by partition, and by consumers
// that are given several.
func BenchmarkTogether(b *testing.B) {
	for _, tier := range []Tier{File, Arena, Memory} {
		for _, parts := range []int{200, 2000} {
			for _, together := range []int64{1, 16 << 20} {
				b.Run(fmt.Sprintf("%s/%d/%d", tier, parts, together), func(b *testing.B) {
					bench(b, "", Config{Partitions: parts, Tier: tier, Together: together})
				})
			}
		}
	}
}

// BenchmarkRequests counts what E executors with W waves of some tasks ask of
// an S3 store: each uploads a wave's objects as one, and reads its neighbouring
// partitions of all of them. The limits are PUT ≤ E·W and
// GET ≤ 1.2 · max(E²·W, bytes / 16 MiB).
func BenchmarkRequests(b *testing.B) {
	for _, x := range []Load{
		{Executors: 4, Waves: 2, Tasks: 5, Partitions: 200, Rows: 8_000},
		{Executors: 2, Waves: 1, Tasks: 4, Partitions: 200, Rows: 500_000},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d/%dMB", x.Executors, x.Waves, x.Tasks, x.Executors*x.Waves*x.Tasks*x.Rows/10_000), func(b *testing.B) {
			client := openStore(b)
			var r Requests
			for range b.N {
				var err error
				if r, err = MeasureRequests(b.Context(), client, b.TempDir(), x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(r.Puts), "PUT")
			b.ReportMetric(float64(r.MaxPuts), "PUT-limit")
			b.ReportMetric(float64(r.Gets), "GET")
			b.ReportMetric(r.MaxGets, "GET-limit")
			if r.Gets == 0 || r.Puts > r.MaxPuts || float64(r.Gets) > r.MaxGets {
				b.Errorf("%+v", r)
			}
		})
	}
}

// BenchmarkDisk passes the budget twice, synced and read from the disk.
func BenchmarkDisk(b *testing.B) {
	r, err := MeasureDisk(b.Context(), Config{Dir: b.TempDir(), Rows: 2_560_000, Rounds: max(b.N, 1)})
	if err != nil {
		b.Fatal(err)
	}
	rate := func(n int64, d time.Duration) float64 { return float64(n) / 1e6 / d.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(r.Written+r.Read, r.Wall), "MB/s")
	b.ReportMetric(rate(r.Written+r.Read, r.Raw), "raw-MB/s")
	b.ReportMetric(r.OfRaw(), "of-raw")
	b.ReportMetric(r.OfDevice(), "of-device")
	b.ReportMetric(r.Idle(), "idle")
	b.ReportMetric(float64(r.Written+r.Read)/float64(r.Rows), "moved/byte")
	b.ReportMetric(float64(r.Device)/float64(r.Rows), "device/byte")
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
	if c.Tier == Store {
		b.ReportMetric(r.Requests, "requests")
	}
}

// openStore is the client of an embedded store: as from another machine, and
// one that sends an object as one PUT.
func openStore(t testing.TB) *store.Client {
	server := storetest.Start(t, storetest.Options(t.TempDir()))
	access := server.Access()
	access.Root = ""
	c, err := store.Config{Part: 5 << 30}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
