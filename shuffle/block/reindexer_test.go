package block_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

func reindexerOf(t fataler, s *stream) *block.Reindexer {
	t.Helper()
	var comp *block.Compressor
	if s.packing.Codec != block.None {
		var err error
		if comp, err = block.NewCompressor(block.ShapeOf(s.schema), s.packing.Codec, s.packing.Codecs); err != nil {
			t.Fatal(err)
		}
	}
	return block.NewReindexer(s.schema, comp)
}

// reindexed is s with another batch, whose indices are those that maps give.
func reindexed(t fataler, s *stream, maps [][]int32) (stream, error) {
	t.Helper()
	r := reindexerOf(t, s)
	part := s.buf.Bytes()
	end := int64(len(part) - len(block.EndOfStream))
	at, err := r.Start(&s.batch, end)
	if err != nil {
		return stream{}, err
	}
	out := bytes.NewBuffer(bytes.Clone(part[:at]))
	b, n, err := r.Reindex(out, part, &s.batch, end, maps)
	if err != nil {
		return stream{}, err
	}
	if int64(out.Len()) != at+n || n%block.Alignment != 0 {
		t.Fatal("Reindex wrote ", int64(out.Len())-at, " bytes and said ", n)
	}
	for i := range b.Buffers {
		b.Buffers[i].Offset += at
	}
	out.Write(block.EndOfStream[:])
	got := *s
	got.buf, got.batch = memory.NewBufferBytes(bytes.Clone(out.Bytes())), b
	return got, nil
}

// backwards maps the indices into dictionaries of the lengths of s to those
// into the same dictionaries backwards; some are left as they are.
func backwards(s *stream, skip int) [][]int32 {
	maps := make([][]int32, len(s.packing.Dictionaries))
	for i := range maps {
		n := int32(s.packing.Dictionaries[i].Rows)
		if i == skip {
			continue
		}
		maps[i] = make([]int32, n)
		for k := range maps[i] {
			maps[i][k] = n - 1 - int32(k)
		}
	}
	return maps
}

// TestReindex: twice backwards is the batch as it was; and Arrow's own reader
// and ours agree on what is in between.
func TestReindex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfN(rapid.SampledFrom(blocktest.Types()), 0, 3).Draw(t, "others")
		types = append(types, rapid.SampledFrom(blocktest.Dictionaries()).Draw(t, "type"))
		rec := blocktest.DrawRecord(t, memory.DefaultAllocator, blocktest.SchemaOf(types...), rapid.SampledFrom([]int{40, 6000}).Draw(t, "rows"))
		s := encode(t, rec, rapid.SampledFrom(codecs).Draw(t, "codec"))
		maps := backwards(&s, rapid.IntRange(-1, 3).Draw(t, "skip"))
		once, err := reindexed(t, &s, maps)
		if err != nil {
			t.Fatal(err)
		}
		between, err := once.decode()
		if err != nil {
			t.Fatal(err)
		}
		if arrows := arrowReads(t, once.buf.Bytes()); !same(between, arrows) {
			t.Fatalf("Arrow reads %v, we read %v", arrows, between)
		}
		twice, err := reindexed(t, &once, maps)
		if err != nil {
			t.Fatal(err)
		}
		got, err := twice.decode()
		if err != nil {
			t.Fatal(err)
		}
		if !same(rec, got) {
			t.Fatalf("was %v\nis  %v", rec, got)
		}
	})
}

// FuzzReindex spoils a batch as FuzzDecode does: what is collected and written,
// or refused, comes without a panic.
func FuzzReindex(f *testing.F) {
	types := blocktest.Dictionaries()
	for i := range types {
		for codec := range uint8(3) {
			f.Add(uint8(i), codec, []byte{})
			for field := range byte(7) {
				f.Add(uint8(i), codec, patch(field, 1, 1<<40))
				f.Add(uint8(i), codec, patch(field, 1, -1))
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind, codec uint8, patches []byte) {
		rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(types[int(kind)%len(types)]), 300, 0.3, uint64(kind))
		s := encode(t, rec, codecs[codec%3])
		maps := backwards(&s, -1)
		spoil(s.buf.Bytes(), []*block.Batch{&s.batch}, patches)
		codes := make([]block.Codes, len(maps))
		for i := range codes {
			codes[i].Reset(len(maps[i]))
		}
		if err := reindexerOf(t, &s).Collect(s.buf.Bytes(), &s.batch, codes); err != nil && !errors.Is(err, block.ErrMalformed) {
			t.Fatal(err)
		}
		if _, err := reindexed(t, &s, maps); err != nil && !errors.Is(err, block.ErrMalformed) {
			t.Fatal(err)
		}
	})
}
