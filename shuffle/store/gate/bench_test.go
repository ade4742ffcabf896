package gate_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// lane is one way to put and get an object.
type lane struct {
	name string
	put  func(context.Context, string, []byte) error
	get  func(context.Context, string) error
}

// rawLane is what the others are held against: net/http and a plain file,
// without a checksum, a signature or a sync.
func rawLane(b *testing.B) lane {
	dir := b.TempDir()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file := filepath.Join(dir, filepath.Base(r.URL.Path))
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, file)
			return
		}
		f, err := os.CreateTemp(dir, "tmp")
		if err == nil {
			_, err = io.Copy(f, r.Body)
			f.Close()
		}
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
		}
	}))
	b.Cleanup(srv.Close)
	do := func(ctx context.Context, method, name string, body io.Reader) error {
		r, err := http.NewRequestWithContext(ctx, method, srv.URL+"/"+filepath.Base(name), body)
		if err != nil {
			return err
		}
		resp, err := srv.Client().Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return lane{"raw",
		func(ctx context.Context, name string, p []byte) error {
			return do(ctx, "PUT", name, bytes.NewReader(p))
		},
		func(ctx context.Context, name string) error { return do(ctx, "GET", name, nil) },
	}
}

func storeLane(b *testing.B, name string, access core.StoreAccess) lane {
	c := storetest.Open(b, access)
	return lane{name,
		func(ctx context.Context, name string, p []byte) error {
			_, err := c.Put(ctx, name, bytes.NewReader(p), int64(len(p)), store.PutOptions{})
			return err
		},
		func(ctx context.Context, name string) error {
			r, _, err := c.Get(ctx, name, 0, -1)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		},
	}
}

// BenchmarkLanes puts and gets one object over every lane by turns, and reports
// each lane's speed as a multiple of raw's in the same run.
func BenchmarkLanes(b *testing.B) {
	s := storetest.Start(b, storetest.Options(b.TempDir()))
	direct := s.Access()
	direct.Root = ""
	lanes := []lane{rawLane(b), storeLane(b, "direct", direct), storeLane(b, "file", s.Access())}
	for _, o := range []struct {
		name        string
		trust, file bool
	}{{"tcp", false, false}, {"tcp-file", false, true}, {"unix", true, false}, {"unix-file", true, true}} {
		opts := gate.Options{Upstream: s.Access(), Prefix: "test/" + o.name + "/", Trust: o.trust}
		if !o.file {
			opts.Upstream.Root = ""
		}
		_, access := serve(b, opts)
		lanes = append(lanes, storeLane(b, o.name, access))
	}
	for _, size := range []int{4 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { race(b, lanes, storetest.Bytes(size, 1)) })
	}
}

func race(b *testing.B, lanes []lane, body []byte) {
	puts, gets := make([]time.Duration, len(lanes)), make([]time.Duration, len(lanes))
	for b.Loop() {
		for i, l := range lanes {
			name := "test/" + l.name + "/object"
			start := time.Now()
			if err := l.put(b.Context(), name, body); err != nil {
				b.Fatal(err)
			}
			mid := time.Now()
			if err := l.get(b.Context(), name); err != nil {
				b.Fatal(err)
			}
			puts[i], gets[i] = puts[i]+mid.Sub(start), gets[i]+time.Since(mid)
		}
	}
	for i, l := range lanes[1:] {
		b.ReportMetric(puts[0].Seconds()/puts[i+1].Seconds(), l.name+"-put-x")
		b.ReportMetric(gets[0].Seconds()/gets[i+1].Seconds(), l.name+"-get-x")
	}
	total := float64(len(body)) * float64(b.N) / (1 << 20)
	b.ReportMetric(total/puts[0].Seconds(), "raw-put-MiB/s")
	b.ReportMetric(total/gets[0].Seconds(), "raw-get-MiB/s")
}
