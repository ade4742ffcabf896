package work

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// The rows of a file are in the order of their keys, in batches: most of it is far
// from where a batch begins.
const (
	sampleBatches = 6
	sampleBatch   = 20000
)

func sampleKey(i int) string {
	return fmt.Sprintf("key-%07d-%032x", i, uint64(i)*0x9e3779b97f4a7c15)
}

func sampleRecord(batch int) arrow.Record {
	schema := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range sampleBatch {
		b.Field(0).(*array.StringBuilder).Append(sampleKey(batch*sampleBatch + i))
	}
	return b.NewRecord()
}

type recordWriter interface {
	Write(arrow.Record) error
	Close() error
}

// sampleInput is one file of format, as the split that a plan makes of it.
func sampleInput(t *testing.T, format string) input.Split {
	t.Helper()
	var b bytes.Buffer
	var w recordWriter
	var err error
	columns := []input.Column{{Name: "k", Type: "utf8"}}
	first := sampleRecord(0)
	defer first.Release()
	switch format {
	case "parquet":
		columns = nil
		w, err = pqarrow.NewFileWriter(first.Schema(), &b, parquet.NewWriterProperties(parquet.WithDictionaryDefault(false)), pqarrow.DefaultWriterProps())
	case "arrow":
		columns = nil
		w = ipc.NewWriter(&b, ipc.WithSchema(first.Schema()))
	case "csv":
		b.WriteString("k\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range sampleBatches {
		if w == nil {
			for j := range sampleBatch {
				fmt.Fprintf(&b, map[string]string{"csv": "%s\n", "json": "{\"k\":%q}\n"}[format], sampleKey(i*sampleBatch+j))
			}
			continue
		}
		r := sampleRecord(i)
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
		r.Release()
	}
	if w != nil {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "in."+format)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	size := int64(b.Len())
	if size < 8*sampleBytes {
		t.Fatalf("%d bytes of %s are too few to sample", size, format)
	}
	return input.Split{Bytes: size, Columns: columns, Ranges: []input.Range{{File: input.File{URL: "file://" + path, Size: size}, Length: size}}}
}

// TestSampleOfFormats finds keys in a file of every format, and of those whose
// readers can tell, from more than one place.
func TestSampleOfFormats(t *testing.T) {
	for _, format := range []string{"csv", "json", "parquet", "arrow"} {
		t.Run(format, func(t *testing.T) {
			split := sampleInput(t, format)
			body := `{"input":{"path":"file:///x","format":"` + format + `"},"map":{"use":"field","with":{"key":"k"}},
				"reduce":{"use":"count"},"shuffle":{"by":"range","partitions":4},"output":{"path":"file:///y"}}`
			w, _, _ := trial{body: body}.worker(t)
			done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Sample}, Split: split, Partitions: 4}, nil)
			if failed != nil {
				t.Fatal(failed.Err.Error())
			}
			if len(done.Keys) != sampleKeys {
				t.Fatalf("%d keys, not %d", len(done.Keys), sampleKeys)
			}
			batches := map[string]bool{}
			for _, k := range done.Keys {
				var i int
				if _, err := fmt.Sscanf(string(k), "key-%d-", &i); err != nil || string(k) != sampleKey(i) {
					t.Fatalf("key %q", k)
				}
				batches[fmt.Sprint(i/sampleBatch)] = true
			}
			if want := map[string]int{"parquet": 4, "arrow": sampleBatches}[format]; len(batches) < want {
				t.Errorf("keys of %d batches, want %d", len(batches), want)
			}
			if all := int64(sampleBatches * sampleBatch); format == "parquet" && done.RecordsIn >= all {
				t.Errorf("all %d rows were read", done.RecordsIn)
			}
		})
	}
}
