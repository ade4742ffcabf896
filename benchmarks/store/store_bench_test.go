package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	m.Run()
}

// lane is one way to put and get an object. get reads into buffers of its own.
type lane struct {
	name     string
	put      func(ctx context.Context, path string, body []byte) error
	get      func(ctx context.Context, path string, into []byte) error
	requests func() int64 // so far; nil where nobody counts
}

// filler is a writer into a buffer that is there: no lane pays for its growth.
type filler struct{ left []byte }

func (f *filler) Write(p []byte) (int, error) {
	n := copy(f.left, p)
	f.left = f.left[n:]
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func plain(b *testing.B, access core.StoreAccess) lane {
	c := storetest.OpenPlain(b, access)
	return lane{"minio-go", c.Put, func(ctx context.Context, path string, into []byte) error {
		return c.Get(ctx, path, &filler{into})
	}, nil}
}

// streamed gets an object as a whole, ranged by ReadRanges of a partition's size.
func streamed(name string, c *store.Client) lane {
	return lane{name, putBy(c), func(ctx context.Context, path string, into []byte) error {
		r, _, err := c.Get(ctx, path, 0, -1)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.ReadFull(r, into)
		return err
	}, func() int64 { return c.Stats().Requests() }}
}

func ranged(name string, c *store.Client) lane {
	return lane{name + "-ranges", putBy(c), func(ctx context.Context, path string, into []byte) error {
		const partition = 320 << 10 // 64 MiB in 200
		var ranges []store.Range
		var parts [][]byte
		for off := 0; off < len(into); off += partition {
			n := min(partition, len(into)-off)
			ranges, parts = append(ranges, store.Range{Off: int64(off), Len: int64(n)}), append(parts, into[off:off+n])
		}
		return c.ReadRanges(ctx, path, ranges, parts)
	}, func() int64 { return c.Stats().Requests() }}
}

func putBy(c *store.Client) func(context.Context, string, []byte) error {
	return func(ctx context.Context, path string, body []byte) error {
		_, err := c.Put(ctx, path, bytes.NewReader(body), int64(len(body)), store.PutOptions{})
		return err
	}
}

// throughGate opens a gate on a unix socket, as an attempt's executors have it.
func throughGate(b *testing.B, up core.StoreAccess) *store.Client {
	b.Helper()
	g, err := gate.New(gate.Options{Upstream: up, Prefix: "test/", Trust: true})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "s")
	l, err := unixsock.Listen(path)
	if err != nil {
		b.Fatal(err)
	}
	go func(l net.Listener) { g.Serve(l) }(l)
	b.Cleanup(func() { g.Close() })
	return storetest.Open(b, g.Access("unix://"+path))
}

// BenchmarkStore reports, beside ns/op of a round over all lanes, minio-go's
// MB/s and each lane's multiple of it ("gate-put-x"), and requests per object.
func BenchmarkStore(b *testing.B) {
	s := storetest.Start(b, storetest.Options(b.TempDir()))
	direct := s.Access()
	direct.Root, direct.Socket = "", ""
	client, gated, files := storetest.Open(b, direct), throughGate(b, direct), throughGate(b, s.Access())
	lanes := []lane{
		plain(b, direct), streamed("client", client), ranged("client", client),
		streamed("gate", gated), ranged("gate", gated), streamed("files", files), ranged("files", files),
	}
	for _, size := range []int{1 << 20, 64 << 20} {
		for _, at := range []int{1, 4} {
			b.Run(fmt.Sprintf("%dMiB/%d-at-once", size>>20, at), func(b *testing.B) { race(b, lanes, storetest.Bytes(size, 1), at) })
		}
	}
}

// race has every lane put and get as many objects at once, by turns.
func race(b *testing.B, lanes []lane, body []byte, at int) {
	puts, gets := make([]costs, len(lanes)), make([]costs, len(lanes))
	requests := make([]int64, len(lanes))
	into := make([][]byte, at)
	for i := range into {
		into[i] = make([]byte, len(body))
	}
	all := func(c *costs, do func(ctx context.Context, i int) error) {
		g, ctx := errgroup.WithContext(b.Context())
		start := spent()
		for i := range at {
			g.Go(func() error { return do(ctx, i) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		end := spent()
		c.wall, c.cpu = append(c.wall, end.wall-start.wall), append(c.cpu, end.cpu-start.cpu)
	}
	round := 0
	for b.Loop() {
		for n := range lanes {
			n = (n + round) % len(lanes)
			l := lanes[n]
			path := func(i int) string { return fmt.Sprintf("test/%s/%d", l.name, i) }
			if l.requests != nil {
				requests[n] -= l.requests()
			}
			all(&puts[n], func(ctx context.Context, i int) error { return l.put(ctx, path(i), body) })
			all(&gets[n], func(ctx context.Context, i int) error { return l.get(ctx, path(i), into[i]) })
			if l.requests != nil {
				requests[n] += l.requests()
			}
			if !bytes.Equal(into[at-1], body) {
				b.Fatalf("%s: other bytes came back", l.name)
			}
			clear(into[at-1])
		}
		round++
	}
	megabytes := float64(len(body)) * float64(at) / 1e6
	b.ReportMetric(megabytes/median(puts[0].wall), "minio-put-MB/s")
	b.ReportMetric(megabytes/median(gets[0].wall), "minio-get-MB/s")
	for i, l := range lanes {
		b.ReportMetric(median(puts[i].cpu)*1e6/megabytes, l.name+"-put-CPU-ms/GB")
		b.ReportMetric(median(gets[i].cpu)*1e6/megabytes, l.name+"-get-CPU-ms/GB")
		if i == 0 {
			continue
		}
		b.ReportMetric(median(puts[0].wall)/median(puts[i].wall), l.name+"-put-x")
		b.ReportMetric(median(gets[0].wall)/median(gets[i].wall), l.name+"-get-x")
		b.ReportMetric(float64(requests[i])/float64(at*b.N), l.name+"-requests/object")
	}
}

// costs are a lane's samples.
type costs struct{ wall, cpu []time.Duration }

// median is in seconds.
func median(samples []time.Duration) float64 {
	slices.Sort(samples)
	return (samples[(len(samples)-1)/2] + samples[len(samples)/2]).Seconds() / 2
}

// cost is time on the clock, and on the CPUs by this process: client and gate.
type cost struct{ wall, cpu time.Duration }

var began = time.Now()

func spent() cost {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return cost{time.Since(began), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}
