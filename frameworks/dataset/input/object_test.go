package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

func TestReadObjects(t *testing.T) {
	var content []byte
	for i := 0; len(content) < 20<<20; i++ {
		content = fmt.Appendf(content, "%d some text in an object\n", i)
	}
	st := &memStore{objects: map[string][]byte{"bkt/big": content, "bkt/small.gz": gzipped(t, content[:1<<20])}}
	want, _ := linesOf(content, Options{MaxRecord: 1 << 20})
	f := File{URL: "s3://bkt/big", Size: int64(len(content))}
	splits, err := Plan(context.Background(), []File{f}, PlanOptions{SplitSize: 9 << 20, Read: Options{Store: st}})
	if err != nil || len(splits) != 3 {
		t.Fatalf("%d splits, %v", len(splits), err)
	}
	n := 0
	for _, s := range splits {
		good, bad := readSplit(t, s, Options{Store: st})
		for _, l := range good {
			if l != want[n] {
				t.Fatalf("line %d is %v, not %v", n, l, want[n])
			}
			n++
		}
		if len(bad) > 0 {
			t.Fatal(bad)
		}
	}
	if n != len(want) {
		t.Fatalf("%d of %d lines", n, len(want))
	}
	if n := st.gets.Load(); n > 3*4 {
		t.Errorf("%d GETs for 20 MiB", n)
	}

	gz := File{URL: "s3://bkt/small.gz", Size: int64(len(st.objects["bkt/small.gz"]))}
	o := Options{Store: st}
	r := NewBlockReader(Split{Ranges: []Range{{File: gz, Length: gz.Size, Codec: "gzip"}}}, o)
	defer r.Close()
	b, err := r.Next(context.Background())
	if err != nil || !bytes.HasPrefix(content, b.Data) {
		t.Fatalf("%.40q, %v", b.Data, err)
	}
}

// Closing a reader in the middle leaves no fetcher behind: TestMain counts.
func TestCloseInTheMiddle(t *testing.T) {
	st := &memStore{objects: map[string][]byte{"bkt/big": bytes.Repeat([]byte("line\n"), 6<<20)}}
	f := File{URL: "s3://bkt/big", Size: 30 << 20}
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{Store: st})
	if _, err := r.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// A store that fails is no bad record, of any format, and what it says reaches
// the user; nor is the end of the context.
func TestObjectFails(t *testing.T) {
	contents := map[string][]byte{"text": bytes.Repeat([]byte("line\n"), 5000), "csv": bytes.Repeat([]byte("a,b\n"), 5000),
		"parquet": parquetBytes(t, 3), "arrow": arrowBytes(t, true), "arrow.gz": gzipped(t, arrowBytes(t, false))}
	denied := core.Errorf(core.Denied, "no").At("bkt/x").Do("ask")
	for name, content := range contents {
		format, codec, _ := strings.Cut(name, ".")
		f := File{URL: "s3://bkt/x." + codec, Size: int64(len(content))}
		split := Split{Ranges: []Range{{File: f, Length: f.Size, Codec: codecByName(f.URL)}}, Columns: []Column{{"a", "utf8"}, {"b", "utf8"}}}
		for want, kind := range map[error]core.ErrKind{denied: core.Denied, context.Canceled: core.Internal, io.ErrUnexpectedEOF: core.Failed} {
			for fail := range int64(4) {
				st := &failingStore{memStore: memStore{objects: map[string][]byte{"bkt/x." + codec: content}}, fail: fail, err: want}
				o := Options{Store: st, Format: format, Bad: func(b Bad) error { t.Errorf("%s: a bad record: %+v", name, b); return nil }}
				err := readAll(split, o)
				if st.gets.Load() <= fail { // it was read with fewer GETs
					continue
				}
				if !errors.Is(err, want) || core.KindOf(err) != kind || kind == core.Failed && core.AsError(err).Where != f.URL {
					t.Errorf("%s, GET %d fails with %v: %v", name, fail, want, err)
				}
			}
		}
	}
}

// failingStore fails a GET, and all behind it.
type failingStore struct {
	memStore
	fail int64
	err  error
}

func (s *failingStore) Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error) {
	if s.gets.Load() >= s.fail {
		s.gets.Add(1)
		return nil, store.Info{}, s.err
	}
	return s.memStore.Get(ctx, path, off, length)
}

// readAll reads a split to its end.
func readAll(s Split, o Options) error {
	if o.Format == "text" {
		r := NewBlockReader(s, o)
		defer r.Close()
		for {
			if _, err := r.Next(context.Background()); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	r := NewRecordReader(s, o)
	defer r.Close()
	for {
		rec, _, err := r.Next(context.Background())
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		rec.Release()
	}
}

// An object that was replaced since the job was planned is no longer the one
// its ranges tile.
func TestObjectReplaced(t *testing.T) {
	for _, size := range []int64{29, 31} {
		f := File{URL: "s3://bkt/x", Size: size}
		st := &memStore{objects: map[string][]byte{"bkt/x": bytes.Repeat([]byte("line\n"), 6)}}
		r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{Store: st, Bad: func(Bad) error { return nil }})
		_, err := r.Next(context.Background())
		if e := core.AsError(err); e == nil || e.Kind != core.Failed || e.Where != f.URL || !strings.Contains(e.What, "when the job was planned") {
			t.Errorf("listed with %d bytes: %v", size, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestObjectGone(t *testing.T) {
	f := File{URL: "s3://bkt/none", Size: 30}
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{Store: &memStore{}, Bad: func(Bad) error { return nil }})
	defer r.Close()
	_, err := r.Next(context.Background())
	if e := core.AsError(err); e == nil || e.Where != f.URL || e.Remedy == "" {
		t.Fatalf("%+v", e)
	}
}
