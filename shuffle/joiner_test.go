package shuffle_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/block/blocktest"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// coded makes a record of words with indices of the given type, the words in
// the dictionary in the order in which they first come.
func coded(index arrow.DataType, words ...string) arrow.Record {
	dt := &arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{{Name: "word", Type: dt, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, w := range words {
		if err := b.Field(0).(*array.BinaryDictionaryBuilder).AppendString(w); err != nil {
			panic(err)
		}
		b.Field(1).(*array.Int64Builder).Append(int64(i))
	}
	return b.NewRecord()
}

// TestMergeKeepsEqualDictionaries: the dictionary of two tasks that have the
// same is there once, and their batches as they were.
func TestMergeKeepsEqualDictionaries(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	rec := coded(arrow.PrimitiveTypes.Int32, strings.Fields("of the people by the people for the people")...)
	var in []*shuffle.Index
	for i := range 2 {
		in = append(in, commit(t, filepath.Join(dir, fmt.Sprint("task-", i)), rec.Schema(), &partition.RoundRobin{Partitions: 2}, 2, shuffle.PartitionedOptions{}, rec))
	}
	path := filepath.Join(dir, "wave")
	got, err := shuffle.Merge(t.Context(), path, src, in, shuffle.MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkMerged(t, src, got, in)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for p := range 2 {
		part := got.Partitions[p]
		merged := whole[part.Offset : part.Offset+part.Length]
		for i, x := range in {
			task, err := os.ReadFile(filepath.Join(dir, x.Name))
			if err != nil {
				t.Fatal(err)
			}
			was := x.Partitions[p]
			dict := was.Dictionaries[0].Buffers
			head := dict[len(dict)-1].Offset // all but the words, which are the last
			batch := was.Batches[0].Buffers[0].Offset
			end := was.Length - 64
			bytesOf := task[was.Offset : was.Offset+was.Length]
			if !bytes.Equal(merged[:head], bytesOf[:head]) {
				t.Errorf("partition %d has another head than in task %d", p, i)
			}
			at := part.Batches[i].Buffers[0].Offset
			if !bytes.Equal(merged[at:at+end-batch], bytesOf[batch:end]) {
				t.Errorf("partition %d: the batch of task %d was changed", p, i)
			}
		}
		if n := strings.Count(string(merged), "people"); n != 1 {
			t.Errorf("partition %d has the word people %d times", p, n)
		}
	}
}

// wordsOf writes an object with a Writer: every partition has a dictionary of
// its own.
func wordsOf(t *testing.T, path string, parts ...[]string) *shuffle.Index {
	t.Helper()
	var batches []batch
	for p, words := range parts {
		if len(words) > 0 {
			batches = append(batches, batch{p, coded(arrow.PrimitiveTypes.Int16, words...)})
		}
	}
	return write(t, path, coded(arrow.PrimitiveTypes.Int16).Schema(), len(parts), batches...)
}

// TestMergeJoinsPerPartition: where dictionaries differ from partition to
// partition, a merged partition has the words of its own inputs and no others,
// whichever tasks have rows in it.
func TestMergeJoinsPerPartition(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	in := []*shuffle.Index{
		wordsOf(t, filepath.Join(dir, "a"), []string{"x", "y"}, []string{"u"}, nil, []string{"s", "t"}),
		wordsOf(t, filepath.Join(dir, "b"), []string{"x", "y"}, []string{"v", "u"}, []string{"w"}, nil),
		wordsOf(t, filepath.Join(dir, "c"), []string{"z", "y"}, nil, []string{"w", "q"}, []string{"t"}),
	}
	got, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkMerged(t, src, got, in)
	for p, want := range []int64{3, 2, 2, 2} {
		if n := got.Partitions[p].Dictionaries[0].Rows; n != want {
			t.Errorf("partition %d has %d words, want %d", p, n, want)
		}
	}
}

// TestMergeJoinsLargePartitions: partitions that are not held together are read
// twice, and come out the same.
func TestMergeJoinsLargePartitions(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	words, all := make([]string, 300_000), []string(nil)
	var in []*shuffle.Index
	for i := range 3 {
		for k := range words {
			words[k] = fmt.Sprint("word ", (k*(7+i))%1000)
		}
		all = append(all, words...)
		rec := coded(arrow.PrimitiveTypes.Int32, words...)
		in = append(in, commit(t, filepath.Join(dir, fmt.Sprint("task-", i)), rec.Schema(), partition.First{}, 2, shuffle.PartitionedOptions{}, rec))
	}
	if n := in[0].Partitions[0].Length; 3*n <= 8<<20 {
		t.Fatalf("partitions of %d bytes are held together", n)
	}
	got, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Partitions[0].Dictionaries[0].Rows; n != 1000 {
		t.Errorf("%d words in the dictionary, want 1000", n)
	}
	r, err := src.Open(t.Context(), got, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := 0
	for ; at < len(all); at += len(words) {
		rec, err := r.Next()
		if err != nil || rec.NumRows() != int64(len(words)) {
			t.Fatalf("the batch at row %d: %v", at, err)
		}
		col := rec.Column(0).(*array.Dictionary)
		for k := range words {
			if w := col.Dictionary().(*array.String).Value(col.GetValueIndex(k)); w != all[at+k] {
				t.Fatalf("row %d is %s, want %s", at+k, w, all[at+k])
			}
		}
	}
}

// TestMergeOfTooManyWords: two dictionaries of 100 words each are more than
// indices of one byte can name. Nothing is left.
func TestMergeOfTooManyWords(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	var in []*shuffle.Index
	for i := range 2 {
		words := make([]string, 100)
		for k := range words {
			words[k] = fmt.Sprint(i, "-", k)
		}
		rec := coded(arrow.PrimitiveTypes.Int8, words...)
		in = append(in, commit(t, filepath.Join(dir, fmt.Sprint("task-", i)), rec.Schema(), partition.First{}, 2, shuffle.PartitionedOptions{}, rec))
	}
	before := names(t, dir)
	_, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{})
	if err == nil || !strings.Contains(err.Error(), "more than the 128 values") {
		t.Errorf("%v, want that there are too many values", err)
	}
	if after := names(t, dir); !slices.Equal(before, after) {
		t.Errorf("left behind: %v, were %v", after, before)
	}
}

// TestMergeOfForgedIndexes: numbers in an index that do not fit the bytes are
// an error, or nothing that matters, and never a panic.
func TestMergeOfForgedIndexes(t *testing.T) {
	dir := t.TempDir()
	src := &shuffle.Source{Local: []string{dir}}
	var names []string
	for i, codec := range []string{"", "lz4"} {
		for k := range 2 {
			o := shuffle.PartitionedOptions{}
			o.Codec = codec
			rec := blocktest.Record(memory.DefaultAllocator, dictSchema, 400, 0.1, uint64(k))
			names = append(names, fmt.Sprint(i, "-", k))
			x := commit(t, filepath.Join(dir, names[len(names)-1]), dictSchema, partition.First{}, 1, o, rec)
			b, err := x.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			names[len(names)-1] = string(b)
		}
	}
	forged := 0
	rapid.Check(t, func(t *rapid.T) {
		in := make([]*shuffle.Index, 2)
		which := rapid.IntRange(0, 1).Draw(t, "codec")
		for k := range in {
			in[k] = new(shuffle.Index)
			if err := in[k].UnmarshalBinary([]byte(names[2*which+k])); err != nil {
				t.Fatal(err)
			}
		}
		part := &in[rapid.IntRange(0, 1).Draw(t, "object")].Partitions[0]
		at := rapid.SampledFrom([]*shuffle.Batch{&part.Batches[0], &part.Dictionaries[0]}).Draw(t, "batch")
		number := rapid.SampledFrom([]int64{-1, 0, 1, 64, 4096, part.Length, 1 << 40, -1 << 63}).Draw(t, "number")
		i := rapid.IntRange(0, len(at.Buffers)-1).Draw(t, "buffer")
		k := rapid.IntRange(0, len(at.Lengths)-1).Draw(t, "array")
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			at.Buffers[i].Offset = number
		case 1:
			at.Buffers[i].Length = number
		case 2:
			at.Lengths[k] = number
		case 3:
			at.Buffers = at.Buffers[:i]
		case 4:
			at.Lengths = at.Lengths[:k]
		case 5:
			part.Batches = append(part.Batches, *at)
		}
		if _, err := shuffle.Merge(t.Context(), filepath.Join(dir, "wave"), src, in, shuffle.MergeOptions{}); err != nil {
			forged++
		}
	})
	if forged == 0 {
		t.Error("every forged index was merged")
	}
}
