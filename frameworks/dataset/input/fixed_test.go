package input

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/arena"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func fixedRows(n int) (content []byte, rows []string) {
	for i := range n {
		content = fmt.Appendf(content, "%03d:%06d", i, i*i)
		rows = append(rows, fmt.Sprintf(`key=%q value=%q`, b64(fmt.Sprintf("%03d", i)), b64(fmt.Sprintf(":%06d", i*i))))
	}
	return content, rows
}

// TestFixedRecordsOnceWhateverTheSplits is laws I1 and I2 for records of a fixed
// length, also where a range begins within one and the last one is cut off.
func TestFixedRecordsOnceWhateverTheSplits(t *testing.T) {
	dir := t.TempDir()
	content, want := fixedRows(200)
	rapid.Check(t, func(r *rapid.T) {
		torn := rapid.IntRange(0, 9).Draw(r, "torn")
		o := Options{Format: "fixed", RecordLength: 10, KeyLength: 3, BatchRows: rapid.IntRange(1, 300).Draw(r, "rows")}
		if rapid.Bool().Draw(r, "pooled") {
			o.Memory = new(arena.Pool)
			defer o.Memory.Close()
		}
		f := writeFile(t, dir, "in.bin", append(bytes.Clone(content), "0123456789"[:torn]...))
		splits := planned(t, o, rapid.Int64Range(1, 3000).Draw(r, "split"), f)
		rows, bad, err := readRows(splits, o)
		if err != nil {
			r.Fatal(err)
		}
		if d := cmp.Diff(want, rows); d != "" {
			r.Fatalf("rows (-want +got):\n%s", d)
		}
		if (torn > 0) != (len(bad) == 1) || torn > 0 && (bad[0].Offset != 2000 || bad[0].Length != int64(torn)) {
			r.Fatalf("%d bytes behind the last record: %+v", torn, bad)
		}
		if o.Memory != nil && o.Memory.Live() != 0 {
			r.Fatalf("%d blocks are not given back", o.Memory.Live())
		}
	})
}

func TestFixedRecordsCompressed(t *testing.T) {
	content, want := fixedRows(200)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o := Options{Format: "fixed", RecordLength: 10, KeyLength: 3, BatchRows: 7}
	f := writeFile(t, t.TempDir(), "in.bin.gz", z.Bytes())
	rows, bad, err := readRows(planned(t, o, 50, f), o)
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// TestFixedFileThatShrank tells that records are missing.
func TestFixedFileThatShrank(t *testing.T) {
	content, _ := fixedRows(200)
	f := writeFile(t, t.TempDir(), "in.bin", content)
	f.Size += 100
	o := Options{Format: "fixed", RecordLength: 10, KeyLength: 3}
	_, _, err := readRows([]Split{{Ranges: []Range{{File: f, Length: f.Size}}}}, o)
	if err == nil || !strings.Contains(err.Error(), "2000 bytes and had 2100") {
		t.Errorf("a file that shrank: %v", err)
	}
}
