package task

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/input"
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
		&Down{Run: &Run{Task: ID{Reduce, 1}, Sources: many}},
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

func TestRowHashSums(t *testing.T) {
	a := &shuffle.Index{Partitions: []shuffle.Partition{{RowHash: 1}, {RowHash: 10}}}
	b := &shuffle.Index{Partitions: []shuffle.Partition{{RowHash: 2}, {RowHash: ^uint64(0)}}}
	if got := RowHash([]*shuffle.Index{a, b, nil}, 1); got != 9 {
		t.Errorf("RowHash = %d, want the wrapping sum 9", got)
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
