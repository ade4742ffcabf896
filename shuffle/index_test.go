package shuffle_test

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

func sampleIndex(t failer, dir string) *shuffle.Index {
	idx := write(t, filepath.Join(dir, "map-00012.0.x"), pairSchema, 5,
		batch{1, pairs("the", "-")}, batch{1, pairs("whale")}, batch{3, pairs("a")})
	idx.Object = "bucket/job/map-00012.0.x"
	return idx
}

func TestIndexSurvivesTheWire(t *testing.T) {
	idx := sampleIndex(t, t.TempDir())
	slice, err := idx.SliceRange(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*shuffle.Index{idx, slice} {
		if got := overTheWire(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("sent %+v\ngot  %+v", want, got)
		}
		var buf bytes.Buffer
		if err := gob.NewEncoder(&buf).Encode(want); err != nil {
			t.Fatal(err)
		}
		got := new(shuffle.Index)
		if err := gob.NewDecoder(&buf).Decode(got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("by gob: sent %+v\ngot  %+v, %v", want, got, err)
		}
	}
}

// TestSliceHoldsWhatItSays: a partition that a slice lacks is an error and
// never an empty partition (law X3).
func TestSliceHoldsWhatItSays(t *testing.T) {
	idx := sampleIndex(t, t.TempDir())
	s, err := idx.Slice(3)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Partition(3); err != nil || p.Rows != 1 {
		t.Errorf("partition 3 of the slice: %+v, %v", p, err)
	}
	for _, p := range []int{-1, 0, 1, 2, 4, 5} {
		if _, err := s.Partition(p); err == nil {
			t.Errorf("the slice of partition 3 has partition %d", p)
		}
	}
	if _, err := s.Slice(1); err == nil {
		t.Error("partition 1 sliced out of partition 3")
	}
	if _, err := idx.SliceRange(3, 6); err == nil {
		t.Error("sliced beyond the end")
	}
	if idx.Rows() != 4 || s.Rows() != 1 || s.Bytes() != idx.Partitions[3].Length {
		t.Errorf("rows %d and %d, bytes %d", idx.Rows(), s.Rows(), s.Bytes())
	}
}

func TestEmptyPartitionsTakeOneByteOfTheIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object")
	few, _ := write(t, path, pairSchema, 10).MarshalBinary()
	many, _ := write(t, path, pairSchema, 110).MarshalBinary()
	if len(many)-len(few) != 100 {
		t.Fatalf("100 empty partitions take %d bytes", len(many)-len(few))
	}
}

var dictSchema = blocktest.SchemaOf(blocktest.Dictionaries()...)

// FuzzFooter: what ReadFooter takes for an object can be written down again,
// and nothing else happens. The checksum is made right, or nothing would get
// past it.
func FuzzFooter(f *testing.F) {
	for _, file := range []string{"testdata/v1.exchange", "testdata/v2.exchange"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b[len(b)/2:], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if n := len(b) - 16; mend && n >= 0 {
			if foot := int(binary.LittleEndian.Uint32(b[n:])); foot <= n && foot >= 0 {
				sum := crc32.Checksum(b[n-foot:n+4], crc32.MakeTable(crc32.Castagnoli))
				binary.LittleEndian.PutUint32(b[n+4:], sum)
			}
		}
		x, err := shuffle.ReadFooter(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if _, err := x.MarshalBinary(); err != nil {
			t.Fatalf("read and not encoded: %v", err)
		}
	})
}

func FuzzIndex(f *testing.F) {
	whole, err := sampleIndex(f, f.TempDir()).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	packed := commit(f, filepath.Join(f.TempDir(), "packed"), dictSchema, partition.First{}, 2,
		shuffle.PartitionedOptions{WriterOptions: shuffle.WriterOptions{Codec: "zstd"}},
		blocktest.Record(memory.DefaultAllocator, dictSchema, 300, 0.1, 1))
	b, err := packed.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1, 0, 0, 0, 0, 0xff, 0xff, 0x3f, 0, 0xff, 0xff, 0x3f})
	f.Fuzz(func(t *testing.T, b []byte) {
		x := new(shuffle.Index)
		if x.UnmarshalBinary(b) != nil {
			return
		}
		again, err := x.MarshalBinary()
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		y := new(shuffle.Index)
		if err := y.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("decoded %+v\nthen    %+v, %v", x, y, err)
		}
	})
}
