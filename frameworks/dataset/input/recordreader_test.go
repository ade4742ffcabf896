package input

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// readRows reads all splits and shows each row as text.
func readRows(splits []Split, o Options) (rows []string, bad []Bad, err error) {
	o.Bad = func(b Bad) error { bad = append(bad, b); return nil }
	for _, s := range splits {
		r := NewRecordReader(s, o)
		for {
			rec, _, err := r.Next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				return rows, bad, errors.Join(err, r.Close())
			}
			for i := range int(rec.NumRows()) {
				var cells []string
				for j, c := range rec.Columns() {
					cells = append(cells, fmt.Sprintf("%s=%q", rec.ColumnName(j), c.ValueStr(i)))
				}
				rows = append(rows, strings.Join(cells, " "))
			}
			rec.Release()
		}
		if err := r.Close(); err != nil {
			return rows, bad, err
		}
	}
	return rows, bad, nil
}

func planned(t testing.TB, o Options, size int64, files ...File) []Split {
	splits, err := Plan(context.Background(), files, PlanOptions{SplitSize: size, Read: o})
	if err != nil {
		t.Fatal(err)
	}
	return splits
}

func TestCSVEveryRowOnce(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		cell := rapid.StringMatching(`[a-c ,"é]{0,6}`)
		n := rapid.IntRange(1, 4).Draw(rt, "columns")
		if n == 1 { // an empty field alone on its line is a blank line
			cell = rapid.StringMatching(`[a-c ,"é]{1,6}`)
		}
		header := make([]string, n)
		for i := range header {
			header[i] = fmt.Sprint("h", i)
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = rapid.Bool().Draw(rt, "crlf")
		var want []string
		rows := [][]string{header}
		for range rapid.IntRange(0, 10).Draw(rt, "rows") {
			row := rapid.SliceOfN(cell, n, n).Draw(rt, "row")
			rows = append(rows, row)
			var cells []string
			for i, c := range row {
				cells = append(cells, fmt.Sprintf("h%d=%q", i, c))
			}
			want = append(want, strings.Join(cells, " "))
		}
		if err := w.WriteAll(rows); err != nil {
			rt.Fatal(err)
		}
		o := Options{Format: "csv", BatchRows: rapid.IntRange(1, 5).Draw(rt, "batch")}
		f := writeFile(t, dir, "f.csv", b.Bytes())
		got, bad, err := readRows(planned(t, o, rapid.Int64Range(1, 60).Draw(rt, "size"), f), o)
		if err != nil || len(bad) > 0 {
			rt.Fatal(bad, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestCSVFaults(t *testing.T) {
	dir := t.TempDir()
	o := Options{Format: "csv"}
	f := writeFile(t, dir, "f.csv", []byte("\ufeffa,b\n1,2\n\n3\n\"x\ny\",4\n5,q\"q\n6,\"7\"8\n9,10\n"))
	got, bad, err := readRows(planned(t, o, 0, f), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`a="1" b="2"`, `a="9" b="10"`}, got); diff != "" {
		t.Error(diff)
	}
	var reasons []string
	for _, b := range bad {
		reasons = append(reasons, fmt.Sprintf("%d %.20s", b.Offset, b.Reason))
	}
	want := []string{"12 it has 1 fields, not", "14 a quote is not close", "17 text follows a clos", "22 text follows a clos", "28 text follows a clos"}
	if len(reasons) != len(want) || !strings.HasPrefix(reasons[0], "12 it has 1 fields") || !strings.HasPrefix(reasons[1], "14 a quote is not") {
		t.Errorf("%q", reasons)
	}

	other := writeFile(t, dir, "g.csv", []byte("b,a\n1,2\n"))
	_, _, err = readRows(planned(t, o, 0, f, other), o)
	if e := core.AsError(err); e == nil || e.Where != other.URL || !strings.Contains(e.What, "header") {
		t.Errorf("another header: %v", err)
	}
}

// Columns are named by headers, and by nothing else: a header that cannot be
// read ends the job, also one that sets bad records aside.
func TestCSVBadHeaders(t *testing.T) {
	dir := t.TempDir()
	o := Options{Format: "csv"}
	good := writeFile(t, dir, "a.csv", []byte("a,b\n1,2\n"))
	for name, content := range map[string]string{"latin1": "a,\xe9\n3,4\n", "blank": "\na,b\n3,4\n", "quote": "a,\"b\n3,4\n"} {
		f := writeFile(t, dir, name+".csv", []byte(content))
		if _, err := Plan(context.Background(), []File{f}, PlanOptions{Read: o}); err == nil || core.AsError(err).Where != f.URL {
			t.Errorf("%s first: %v", name, err)
		}
		got, _, err := readRows(planned(t, o, 0, good, f), o)
		if e := core.AsError(err); e == nil || e.Where != f.URL || !strings.Contains(e.What, "header") {
			t.Errorf("%s second: rows %v, error %v", name, got, err)
		}
	}
}

func TestCSVWithoutHeader(t *testing.T) {
	o := Options{Format: "csv", NoHeader: true, Delimiter: ';'}
	f := writeFile(t, t.TempDir(), "f.csv", []byte("1;2\n3;4,5\n"))
	got, bad, err := readRows(planned(t, o, 1, f), o)
	if diff := cmp.Diff([]string{`c1="1" c2="2"`, `c1="3" c2="4,5"`}, got); diff != "" || err != nil || len(bad) > 0 {
		t.Error(diff, bad, err)
	}
}

func TestJSONLines(t *testing.T) {
	dir := t.TempDir()
	o := Options{Format: "json"}
	a := writeFile(t, dir, "a.jsonl", []byte(`{"i":1,"f":1,"s":"x\ny","b":true,"n":null,"o":{"k":[1, 2]},"m":1}
 {"f":2.5, "i" : -9223372036854775808, "m":"two"}
`))
	b := writeFile(t, dir, "b.jsonl", gzipped(t, []byte("{}\n\n{\"i\":3,\"f\":1e300,\"b\":false,\"i\":4}")))
	want := []Column{{"i", "int64"}, {"f", "float64"}, {"s", "utf8"}, {"b", "bool"}, {"n", "utf8"}, {"o", "utf8"}, {"m", "utf8"}}
	splits := planned(t, o, 10, a, b)
	if diff := cmp.Diff(want, splits[0].Columns); diff != "" {
		t.Fatal(diff)
	}
	rows, bad, err := readRows(splits, o)
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	null := func(names ...string) (s string) {
		for _, n := range names {
			s += fmt.Sprintf(" %s=%q", n, array.NullValueStr)
		}
		return s
	}
	if diff := cmp.Diff([]string{
		`i="1" f="1" s="x\ny" b="true"` + null("n") + ` o="{\"k\":[1, 2]}" m="1"`,
		`i="-9223372036854775808" f="2.5"` + null("s", "b", "n", "o") + ` m="two"`,
		strings.TrimSpace(null("i", "f", "s", "b", "n", "o", "m")),
		`i="4" f="1e+300"` + null("s") + ` b="false"` + null("n", "o", "m"),
	}, rows); diff != "" {
		t.Error(diff)
	}
}

// Long lines make batches of few rows: 16,384 of them would not fit in memory.
func TestBatchesAreBounded(t *testing.T) {
	const rows, size = 40, 1 << 20
	f := writeFile(t, t.TempDir(), "f.csv", bytes.Repeat(append(bytes.Repeat([]byte("x"), size), ",1\n"...), rows))
	r := NewRecordReader(planned(t, Options{Format: "csv", NoHeader: true}, 1<<30, f)[0], Options{Format: "csv", NoHeader: true})
	defer r.Close()
	got := int64(0)
	for {
		rec, _, err := r.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got += rec.NumRows(); rec.NumRows() > batchBytes/size+1 {
			t.Errorf("a batch of %d rows of 1 MiB", rec.NumRows())
		}
		rec.Release()
	}
	if got != rows {
		t.Errorf("%d rows, want %d", got, rows)
	}
}

// An integer beyond int64 is kept as it is: as a float64 it would be another.
func TestJSONLargeIntegers(t *testing.T) {
	o := Options{Format: "json"}
	f := writeFile(t, t.TempDir(), "f.jsonl", []byte(`{"id":18446744073709551615,"x":1e3}
{"id":7,"x":2}
`))
	rows, bad, err := readRows(planned(t, o, 0, f), o)
	if diff := cmp.Diff([]string{`id="18446744073709551615" x="1000"`, `id="7" x="2"`}, rows); diff != "" || err != nil || len(bad) > 0 {
		t.Error(diff, bad, err)
	}
}

func TestJSONFaults(t *testing.T) {
	o := Options{Format: "json"}
	var content strings.Builder
	for range inferRecords {
		content.WriteString("{\"i\":1}\n")
	}
	content.WriteString("{\"i\":1.5}\n{\"j\":1}\n[1]\n{\"i\":\n{\"i\":2}\n{\"i\":\"2\"}\n")
	f := writeFile(t, t.TempDir(), "f", []byte(content.String()))
	rows, bad, err := readRows(planned(t, o, 1000, f), o)
	if err != nil || len(rows) != inferRecords+1 || len(bad) != 5 {
		t.Fatal(len(rows), bad, err)
	}
	for i, want := range []string{"its column int64", `field "j" is none`, "not a JSON object", "not JSON", "its column int64"} {
		if !strings.Contains(bad[i].Reason, want) {
			t.Errorf("%q, want %q", bad[i].Reason, want)
		}
	}
}

// What encoding/csv reads from one line, splitFields reads alike.
func FuzzSplitFields(f *testing.F) {
	f.Add("a,b")
	f.Add(`"a""b",,"c`)
	f.Add(`"",""`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n") || s == "" {
			return
		}
		r := csv.NewReader(strings.NewReader(s))
		want, wantErr := r.Read()
		fields, err := splitFields(nil, []byte(s), ',')
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/csv: %v", s, err, wantErr)
		}
		if err == nil && fmt.Sprintf("%q", fields) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %q, encoding/csv: %q", s, fields, want)
		}
	})
}

// What encoding/json finds in an object, eachField finds.
func FuzzEachField(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,{"c":"]"}],"d\n":"\"","e":-1.5e3}`))
	f.Add([]byte(` { } `))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got := map[string]json.RawMessage{}
		err := eachField(line, func(name string, v json.RawMessage) error {
			got[name] = bytes.Clone(v)
			return nil
		})
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(line, &want)
		if wantErr == nil && want == nil {
			wantErr = errNoObject // null
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, encoding/json: %v", err, wantErr)
		}
		if err == nil {
			for k, v := range want {
				if string(v) != string(got[k]) {
					t.Fatalf("field %q: %s, encoding/json: %s", k, got[k], v)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d fields, encoding/json: %d", len(got), len(want))
			}
		}
	})
}

// table is a record with the types jobs have, rows 0..n-1 from start.
func table(start, n int) arrow.Record {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
		{Name: "x", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := start; i < start+n; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		if i%5 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("name ", i))
		}
		l := b.Field(2).(*array.ListBuilder)
		l.Append(true)
		for j := range i % 3 {
			l.ValueBuilder().(*array.Int32Builder).Append(int32(j))
		}
		b.Field(3).(*array.Float64Builder).Append(float64(i) / 2)
	}
	return b.NewRecord()
}

func parquetBytes(t testing.TB, groups int) []byte {
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(table(0, 1).Schema(), &b, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		if err := w.Write(table(i*100, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arrowBytes(t testing.TB, file bool, o ...ipc.Option) []byte {
	var b bytes.Buffer
	o = append(o, ipc.WithSchema(table(0, 1).Schema()))
	var w interface {
		Write(arrow.Record) error
		Close() error
	} = ipc.NewWriter(&b, o...)
	if file {
		fw, err := ipc.NewFileWriter(&seekable{&b}, o...)
		if err != nil {
			t.Fatal(err)
		}
		w = fw
	}
	for i := range 3 {
		if err := w.Write(table(i*100, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type seekable struct{ *bytes.Buffer }

func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

func TestColumnarFormats(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 300 {
		name := fmt.Sprintf("%q", fmt.Sprint("name ", i))
		if i%5 == 0 {
			name = fmt.Sprintf("%q", array.NullValueStr)
		}
		want = append(want, fmt.Sprintf("name=%s id=%q", name, fmt.Sprint(i)))
	}
	for name, c := range map[string]struct {
		format  string
		content []byte
	}{
		"a.parquet":   {"parquet", parquetBytes(t, 3)},
		"a.arrow":     {"arrow", arrowBytes(t, true)},
		"b.arrow":     {"arrow", arrowBytes(t, true, ipc.WithZstd())},
		"a.arrows":    {"arrow", arrowBytes(t, false)},
		"a.arrows.gz": {"arrow", gzipped(t, arrowBytes(t, false))},
		"lz4.arrows":  {"arrow", arrowBytes(t, false, ipc.WithLZ4())},
	} {
		o := Options{Format: c.format, Columns: []string{"name", "id"}}
		f := writeFile(t, dir, name, c.content)
		for _, size := range []int64{1, 1 << 10, 1 << 20} {
			splits := planned(t, o, size, f)
			if c.format == "parquet" && size == 1 && len(splits) != 3 {
				t.Errorf("%d splits of 3 row groups", len(splits))
			}
			got, bad, err := readRows(splits, o)
			if err != nil || len(bad) > 0 {
				t.Fatalf("%s: %v %v", name, bad, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: %s", name, diff)
			}
		}
		o.Columns = []string{"nope"}
		_, _, err := readRows(planned(t, o, 0, f), o)
		if e := core.AsError(err); e == nil || e.Kind != core.Invalid || e.Where != "spec.input.columns" || !strings.Contains(e.Remedy, "id, name") {
			t.Errorf("%s: unknown column: %v", name, err)
		}
	}
}

// Arrow streams joined into one file are not one stream: the rows behind the
// first one's end are not passed over in silence.
func TestJoinedArrowStreams(t *testing.T) {
	dir := t.TempDir()
	o := Options{Format: "arrow"}
	two := append(arrowBytes(t, false), arrowBytes(t, false)...)
	for name, content := range map[string][]byte{"a.arrows": two, "a.arrows.gz": gzipped(t, two)} {
		rows, bad, err := readRows(planned(t, o, 0, writeFile(t, dir, name, content)), o)
		if err != nil || len(rows) != 300 || len(bad) != 1 || !strings.Contains(bad[0].Reason, "follows the end") {
			t.Errorf("%s: %d rows, %v, %v", name, len(rows), bad, err)
		}
	}
}

// A columnar file cut off anywhere gives rows that are right, or a report.
func TestColumnarCutOff(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		format  string
		content []byte
	}{
		"a.parquet": {"parquet", parquetBytes(t, 3)},
		"a.arrow":   {"arrow", arrowBytes(t, true)},
		"a.arrows":  {"arrow", arrowBytes(t, false)},
	} {
		o := Options{Format: c.format}
		whole, _, err := readRows(planned(t, o, 0, writeFile(t, dir, name, c.content)), o)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(c.content)-8; n += 31 {
			f := writeFile(t, dir, name, c.content[:n])
			rows, bad, err := readRows(planned(t, o, 0, f), o)
			if err != nil || len(rows) > len(whole) || (len(rows) < len(whole) && len(bad) != 1) {
				t.Fatalf("%s cut at %d: %d rows, %v, %v", name, n, len(rows), bad, err)
			}
			for i := range rows {
				if rows[i] != whole[i] {
					t.Fatalf("%s cut at %d: row %d is %s", name, n, i, rows[i])
				}
			}
		}
	}
}

// Damage in the batches of an Arrow stream whose schema is intact ends in rows
// or a report, never in a panic, here or when the values are used.
func TestArrowDamagedBatches(t *testing.T) {
	dir := t.TempDir()
	content := arrowBytes(t, false)
	var schema bytes.Buffer
	w := ipc.NewWriter(&schema, ipc.WithSchema(table(0, 1).Schema()))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	start := schema.Len() - 8 // the end mark
	rapid.Check(t, func(rt *rapid.T) {
		b := bytes.Clone(content)
		for range rapid.IntRange(1, 4).Draw(rt, "flips") {
			at := rapid.IntRange(start, len(b)-1).Draw(rt, "at")
			// Lengths in a message's head are allocated on trust by the library:
			// large ones are beyond what a test can bear.
			b[at] ^= 1 << rapid.IntRange(0, 2).Draw(rt, "bit")
		}
		f := writeFile(t, dir, "f.arrows", b)
		o := Options{Format: "arrow"}
		if _, _, err := readRows(planned(t, o, 0, f), o); err != nil {
			rt.Fatal(err)
		}
	})
}
