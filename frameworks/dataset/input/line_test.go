package input

import (
	"bytes"
	"fmt"
	"testing"
)

// TestLineOf: a bad record of lines is found by its line, whichever part of the
// file was read, compressed or not; what has no lines has none.
func TestLineOf(t *testing.T) {
	var text bytes.Buffer
	for i := range 200_000 {
		fmt.Fprintf(&text, "%d,%d\n", i, i)
		if i == 150_000 {
			text.WriteString("1,\"open\n")
		}
	}
	packed := gzipped(t, text.Bytes())
	dir, o := t.TempDir(), Options{Format: "csv", NoHeader: true}
	for name, content := range map[string][]byte{"a.csv": text.Bytes(), "b.csv.gz": packed, "packed": packed} {
		f := writeFile(t, dir, name, content)
		_, bad, err := readRows(planned(t, o, 500_000, f), o)
		if err != nil || len(bad) != 1 {
			t.Fatalf("%s: bad records %v, error %v", name, bad, err)
		}
		if got := LineOf(t.Context(), bad[0], o); got != 150_002 {
			t.Errorf("%s: line %d of %s", name, got, bad[0].Where())
		}
		for _, none := range []Bad{{File: f.URL, Offset: -1}, {File: f.URL, Offset: 7, Length: -1}, {File: f.URL + "x", Offset: 7}} {
			if got := LineOf(t.Context(), none, o); got != 0 {
				t.Errorf("%s: %+v has line %d", name, none, got)
			}
		}
		if got := LineOf(t.Context(), bad[0], Options{Format: "fixed"}); got != 0 {
			t.Errorf("%s: records of a fixed length have line %d", name, got)
		}
	}
}

// TestBadRow: each row of a batch has its own place, over files and blank lines
// and bad records, and rows of Parquet the number that they have in the file.
func TestBadRow(t *testing.T) {
	dir, o := t.TempDir(), Options{Format: "csv"}
	a := writeFile(t, dir, "a.csv", []byte("k,v\n1,a\n\n2,b\n3,c,d\n4,e\n"))
	b := writeFile(t, dir, "b.csv", []byte("k,v\n5,f\n"))
	o.Bad = func(Bad) error { return nil }
	checkRows(t, planned(t, o, 1<<20, a, b), o, map[string]string{
		"1": a.URL + " at byte 4: x", "2": a.URL + " at byte 9: x", "4": a.URL + " at byte 19: x", "5": b.URL + " at byte 4: x",
	})
	o.Format = "parquet"
	p := writeFile(t, dir, "c.parquet", parquetBytes(t, 3))
	want := map[string]string{}
	for i := range 300 {
		want[fmt.Sprint(i)] = fmt.Sprintf("%s: row %d, from 0: x", p.URL, i)
	}
	o.BatchRows = 30
	checkRows(t, planned(t, o, 1, p), o, want)
}

func checkRows(t *testing.T, splits []Split, o Options, want map[string]string) {
	t.Helper()
	n := 0
	for _, s := range splits {
		r := NewRecordReader(s, o)
		for {
			rec, _, err := r.Next(t.Context())
			if err != nil {
				break
			}
			for i := range int(rec.NumRows()) {
				n++
				bad := r.BadRow(i, "x")
				if got := bad.Where() + ": " + bad.Reason; got != want[rec.Column(0).ValueStr(i)] {
					t.Errorf("row %s is %q, want %q", rec.Column(0).ValueStr(i), got, want[rec.Column(0).ValueStr(i)])
				}
			}
			rec.Release()
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if n != len(want) {
		t.Errorf("%d rows of %d", n, len(want))
	}
}
