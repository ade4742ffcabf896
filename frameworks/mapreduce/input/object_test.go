package input

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/capstan-run/capstan/core"
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

func TestObjectGone(t *testing.T) {
	f := File{URL: "s3://bkt/none", Size: 30}
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{Store: &memStore{}, Bad: func(Bad) error { return nil }})
	defer r.Close()
	_, err := r.Next(context.Background())
	if e := core.AsError(err); e == nil || e.Where != f.URL || e.Remedy == "" {
		t.Fatalf("%+v", e)
	}
}
