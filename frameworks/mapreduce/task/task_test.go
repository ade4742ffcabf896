package task

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	index := &shuffle.Index{Version: shuffle.Version, Name: "map-00001.0.x", Total: 1, Schema: []byte("schema"), Partitions: []shuffle.Partition{{Length: 9, Rows: 2, RowHash: 7}}}
	var many []*shuffle.Index
	for range 1000 {
		many = append(many, index)
	}
	for _, want := range []any{
		&Down{Run: &Run{Task: ID{Map, 1}, Try: 3, Split: input.Split{Ranges: []input.Range{{File: input.File{URL: "file:///a", Size: 9}, Length: 9}}, Bytes: 9}}},
		&Down{Run: &Run{Task: ID{Reduce, 1}, Lo: 1, Hi: 9, Sources: many}},
		&Down{Cancel: &Cancel{Task: ID{Map, 1}, Try: 1}},
		&Down{Query: &Query{}},
		&Down{Forget: []string{"a"}},
		&Up{Done: &Done{Task: ID{Map, 1}, Index: index, Counters: map[string]int64{"a/b": 1}}},
		&Up{Inventory: &Inventory{Done: []Done{{Task: ID{Map, 1}}}, More: true}},
	} {
		b, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got := any(new(Up))
		if _, ok := want.(*Down); ok {
			got = new(Down)
		}
		if err := Decode(b, got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("after the wire (-sent +received):\n%s", d)
		}
	}
}

func TestLongMessagesArePacked(t *testing.T) {
	index := &shuffle.Index{Version: shuffle.Version, Total: 1, Schema: make([]byte, 500), Partitions: []shuffle.Partition{{Length: 9}}}
	run := &Run{}
	for range 1000 {
		run.Sources = append(run.Sources, index)
	}
	b, err := Encode(&Down{Run: run})
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 100<<10 {
		t.Errorf("a thousand equal sources take %d bytes", len(b))
	}
}

func TestErrorCauseBecomesText(t *testing.T) {
	sent := &Up{Failed: &Failed{Err: core.Error{Kind: core.Failed, What: "read", Where: "file:///a", Err: errors.New("i/o error")}}}
	b, err := Encode(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got Up
	if err := Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Failed.Err.What != "read: i/o error" || got.Failed.Err.Where != "file:///a" {
		t.Errorf("got %+v", got.Failed.Err)
	}
	if sent.Failed.Err.Err == nil {
		t.Error("the sender's error was changed")
	}
}

func TestRowHash(t *testing.T) {
	sums := func(hashes ...uint64) *shuffle.Index {
		x := &shuffle.Index{Total: len(hashes)}
		for _, h := range hashes {
			x.Partitions = append(x.Partitions, shuffle.Partition{RowHash: h})
		}
		return x
	}
	a, b := sums(1, 10, 3), sums(2, ^uint64(0), 4)
	if got := RowHash([]*shuffle.Index{a, b}, 1, 2); got != 9 {
		t.Errorf("of one partition %d, want the wrapping sum 9", got)
	}
	slice, err := a.SliceRange(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := RowHash([]*shuffle.Index{slice}, 1, 3), RowHash([]*shuffle.Index{a}, 1, 3); got != want {
		t.Errorf("of a slice %d, of the whole index %d", got, want)
	}
	if RowHash([]*shuffle.Index{sums(1, 2)}, 0, 2) == RowHash([]*shuffle.Index{sums(2, 1)}, 0, 2) {
		t.Error("the same rows in other partitions have the same hash")
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range []any{&Up{Done: &Done{Task: ID{Map, 1}}}, &Up{Progress: &Progress{Bytes: 1}}} {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{packed, 0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, b []byte) {
		var up Up
		if Decode(b, &up) == nil {
			if _, err := Encode(&up); err != nil {
				t.Fatalf("decoded, but cannot be encoded: %v", err)
			}
		}
	})
}
