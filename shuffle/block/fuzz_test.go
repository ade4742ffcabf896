package block_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
)

// FuzzDecode spoils a well-formed batch: its description and its bytes. What
// Decode lets through must be safe to read in full (law B1).
func FuzzDecode(f *testing.F) {
	types := blocktest.Types()
	for i := range types {
		for codec := range uint8(3) {
			f.Add(uint8(i), codec, []byte{})
			f.Add(uint8(i), codec, patch(0, 0, 1<<40))
			f.Add(uint8(i), codec, patch(1, 0, -1))
			f.Add(uint8(i), codec, patch(2, 1, 1<<31-1))
			f.Add(uint8(i), codec, patch(3, 0, 1<<62))
			f.Add(uint8(i), codec, patch(4, 1, 1<<62))
			f.Add(uint8(i), codec, patch(5, 600, -1))
			f.Add(uint8(i), codec, patch(6, 0, 1<<62))
			f.Add(uint8(i), codec, append(patch(0, 0, 5), patch(1, 0, 5)...))
		}
	}
	f.Fuzz(func(t *testing.T, kind, codec uint8, patches []byte) {
		rows := 19
		if codec %= 3; codec > 0 {
			rows = 300 // enough for a codec to be tried
		}
		rec := blocktest.Record(memory.DefaultAllocator, blocktest.SchemaOf(types[int(kind)%len(types)]), rows, 0.3, uint64(kind))
		s := encode(t, rec, codecs[codec])
		batches := []*block.Batch{&s.batch}
		for i := range s.packing.Dictionaries {
			batches = append(batches, &s.packing.Dictionaries[i])
		}
		spoil(s.buf.Bytes(), batches, patches)
		got, err := s.decode()
		if err != nil {
			if !errors.Is(err, block.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		defer got.Release()
		read(t, got)
	})
}

// patch is one change: which field (0 rows, 1 lengths, 2 nulls, 3 offsets,
// 4 sizes, 5 bytes, 6 size before compression), which element, and its new
// value. From 7 on the fields are those of the first dictionary, and so forth.
func patch(field uint8, at uint16, v int64) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{field}, at)
	return binary.LittleEndian.AppendUint64(b, uint64(v))
}

func spoil(data []byte, batches []*block.Batch, patches []byte) {
	for ; len(patches) >= 11; patches = patches[11:] {
		at := int(binary.LittleEndian.Uint16(patches[1:]))
		v := int64(binary.LittleEndian.Uint64(patches[3:]))
		set := func(s []int64) {
			if len(s) > 0 {
				s[at%len(s)] = v
			}
		}
		b := batches[int(patches[0]/7)%len(batches)]
		switch patches[0] % 7 {
		case 0:
			b.Rows = v
		case 1:
			set(b.Lengths)
		case 2:
			set(b.Nulls)
		case 3:
			if len(b.Buffers) > 0 {
				b.Buffers[at%len(b.Buffers)].Offset = v
			}
		case 4:
			if len(b.Buffers) > 0 {
				b.Buffers[at%len(b.Buffers)].Length = v
			}
		case 5:
			binary.LittleEndian.PutUint64(data[at%(len(data)-8):], uint64(v))
		case 6:
			b.Raw = v
		}
	}
}

// read touches every value of rec.
func read(t *testing.T, rec arrow.Record) {
	if rec.NumRows() > 1000 {
		rec = rec.NewSlice(rec.NumRows()-1000, rec.NumRows())
		defer rec.Release()
	}
	block.RowHash(rec)
	enc, err := block.NewEncoder(rec.Schema(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := enc.Encode(io.Discard, 0, rec); err != nil {
		t.Fatalf("what was decoded cannot be encoded: %v", err)
	}
	for i, col := range rec.Columns() {
		if n := col.NullN(); n < 0 || n > col.Len() {
			t.Fatalf("%d nulls of %d", n, col.Len())
		}
		_ = array.Equal(col, rec.Column(i))
	}
}
