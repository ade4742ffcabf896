package output

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

func startStore(t testing.TB) *store.Client {
	return storetest.Open(t, storetest.Start(t, storetest.Options(t.TempDir())).Access())
}

var wordSchema = arrow.NewSchema([]arrow.Field{
	{Name: "key", Type: arrow.BinaryTypes.String},
	{Name: "value", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)

func words(start, n int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, wordSchema)
	defer b.Release()
	for i := start; i < start+n; i++ {
		b.Field(0).(*array.StringBuilder).Append(word(i))
		if i%7 == 6 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.Int64Builder).Append(int64(i))
		}
	}
	return b.NewRecord()
}

func word(i int) string {
	return []string{"plain", "with,comma", `with "quotes"`, "éß", "", " lead", `back\slash`}[i%7] + fmt.Sprint(i)
}

// writeParts runs two tasks that write 100 rows each.
func writeParts(t testing.TB, st Store, out dataset.Output, prefix string) []Part {
	var parts []Part
	for task := range 2 {
		pw := NewPart(st, prefix, fmt.Sprintf("reduce-%05d", task), 0, ResultPart(task, out.Format, out.Compression), t.TempDir())
		w, err := New(pw, Options{Format: out.Format, Compression: out.Compression, Schema: wordSchema})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if err := w.Write(words(task*100+i*50, 50)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := pw.Close(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	return parts
}

// Every format and compression, to a disk and to the store: what a job would
// read back is what was written, and Cat shows it.
func TestFormatsRoundTrip(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir()
	var wantText, wantRows []string
	for i := range 200 {
		v := fmt.Sprint(i)
		if i%7 == 6 {
			v = ""
		}
		wantText = append(wantText, word(i)+"\t"+v)
		if v == "" {
			v = array.NullValueStr
		}
		wantRows = append(wantRows, fmt.Sprintf("%q %s", word(i), v))
	}
	n := 0
	for _, c := range []struct{ format, compression string }{
		{"text", ""}, {"text", "gzip"}, {"text", "zstd"}, {"csv", ""}, {"csv", "gzip"}, {"json", ""}, {"json", "zstd"},
		{"parquet", ""}, {"parquet", "none"}, {"parquet", "gzip"}, {"parquet", "snappy"}, {"arrow", ""}, {"arrow", "zstd"},
	} {
		for _, base := range []string{"file://" + dir, "s3://test/out"} {
			n++
			out := dataset.Output{Path: fmt.Sprintf("%s/%d", base, n), Format: c.format, Compression: c.compression}
			name := fmt.Sprintf("%s %s %s", c.format, c.compression, out.Path)
			if err := Exists(ctx, st, out); err != nil {
				t.Fatal(name, err)
			}
			parts := writeParts(t, st, out, fmt.Sprintf("test/jobs/%d/1/", n))
			m, err := Commit(ctx, st, out, parts, Meta{Job: "j", Epoch: 1, Columns: ColumnsOf(wordSchema)})
			if err != nil {
				t.Fatal(name, err)
			}
			if m.Rows != 200 || m.Bytes != parts[0].Bytes+parts[1].Bytes || len(m.Parts) != 2 {
				t.Errorf("%s: %+v", name, m)
			}
			if e := core.AsError(Exists(ctx, st, out)); e == nil || e.Kind != core.Conflict || e.Where != "spec.output.path" || e.Remedy == "" {
				t.Errorf("%s: exists: %+v", name, e)
			}
			read, err := ReadManifest(ctx, st, out.Path)
			if diff := cmp.Diff(m, read); err != nil || diff != "" {
				t.Errorf("%s: manifest: %v %s", name, err, diff)
			}
			var cat bytes.Buffer
			if err := Cat(ctx, st, out.Path, &cat); err != nil {
				t.Fatal(name, err)
			}
			if c.format != "csv" && c.format != "json" {
				if diff := cmp.Diff(wantText, strings.Split(strings.TrimSuffix(cat.String(), "\n"), "\n")); diff != "" {
					t.Errorf("%s: cat: %s", name, diff)
				}
			}
			if c.format == "text" {
				continue
			}
			got := readBack(t, st, out)
			want := slices.Clone(wantRows)
			if c.format == "csv" { // its fields are text, a null an empty one
				for i := range want {
					want[i] = strings.TrimSuffix(want[i], array.NullValueStr)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: rows: %s", name, diff)
			}
		}
	}
}

func readBack(t testing.TB, st *store.Client, out dataset.Output) (rows []string) {
	files, err := input.List(ctx, dataset.Input{Path: dataset.StringList{out.Path}}, st)
	if err != nil {
		t.Fatal(err)
	}
	o := input.Options{Format: out.Format, Store: st}
	splits, err := input.Plan(ctx, files, input.PlanOptions{Read: o})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range splits {
		r := input.NewRecordReader(s, o)
		for {
			rec, _, err := r.Next(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(rec.NumRows()) {
				rows = append(rows, fmt.Sprintf("%q %s", rec.Column(0).ValueStr(i), rec.Column(1).ValueStr(i)))
			}
			rec.Release()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// Nested values, and those that JSON has no word for, also in slices.
func TestNestedValues(t *testing.T) {
	item := arrow.StructOf(arrow.Field{Name: "a b", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		arrow.Field{Name: "s", Type: arrow.BinaryTypes.LargeString, Nullable: true})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "l", Type: arrow.ListOf(item), Nullable: true},
		{Name: "f", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8)), Nullable: true},
		{Name: "n", Type: arrow.Null, Nullable: true},
	}, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[
		{"l": [{"a b": 1, "s": "skipped"}], "f": 2, "m": [], "n": null},
		{"l": [{"a b": 1.5, "s": "q\""}, null, {"a b": "NaN", "s": null}], "f": "NaN", "m": [{"key": "k", "value": [1, 2]}], "n": null},
		{"l": null, "f": 0.1, "m": null, "n": null},
		{"l": [], "f": "-Inf", "m": [], "n": null}]`))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	for format, want := range map[string]string{
		"json": `{"l":[{"a b":1.5,"s":"q\""},null,{"a b":null,"s":null}],"f":null,"m":[{"key":"k","value":[1,2]}],"n":null}
{"l":null,"f":0.1,"m":null,"n":null}
{"l":[],"f":null,"m":[],"n":null}
`,
		"text": `[{"a b":1.5,"s":"q\""},null,{"a b":null,"s":null}]	NaN	[{"key":"k","value":[1,2]}]	` + "\n\t0.1\t\t\n[]\t-Inf\t[]\t\n",
	} {
		var b bytes.Buffer
		w, err := New(&b, Options{Format: format, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		slice := rec.NewSlice(1, 4)
		if err := errors.Join(w.Write(slice), w.Close()); err != nil {
			t.Fatal(err)
		}
		slice.Release()
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
}

func TestTextFastPath(t *testing.T) {
	var b bytes.Buffer
	w, err := NewText(&b, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.WriteKV([]byte("k"), []byte("v")), w.WriteKV([]byte("k"), nil), w.WriteKV(nil, []byte{}), w.WriteLines([]byte("a\nb\n")), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "k\tv\nk\n\t\na\nb\n" {
		t.Errorf("%q", b.String())
	}
}

// 16 committers of two attempts race: all but one find the winner's result.
func TestOneCommitWins(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir()
	for _, path := range []string{"file://" + dir + "/out", "s3://test/race"} {
		for _, ifExists := range []string{"fail", "replace"} {
			out := dataset.Output{Path: path + ifExists, Format: "text", IfExists: ifExists}
			epochs := [][]Part{writeParts(t, st, out, "test/jobs/"+ifExists+"/1/"), writeParts(t, st, out, "test/jobs/"+ifExists+"/2/")}
			var wg sync.WaitGroup
			var won [3]atomic.Int32
			for i := range 16 {
				wg.Go(func() {
					m, err := Commit(ctx, st, out, epochs[i%2], Meta{Job: "j", Epoch: core.Epoch(i%2 + 1)})
					if err != nil {
						t.Errorf("%s: %v", out.Path, err)
						return
					}
					won[m.Epoch].Add(1)
				})
			}
			wg.Wait()
			if won[1].Load()+won[2].Load() != 16 || won[1].Load()*won[2].Load() != 0 {
				t.Errorf("%s: %d found epoch 1, %d epoch 2", out.Path, won[1].Load(), won[2].Load())
			}
			files, err := input.List(ctx, dataset.Input{Path: dataset.StringList{out.Path}}, st)
			if err != nil || len(files) != 2 {
				t.Errorf("%s: %v, %v", out.Path, files, err)
			}
			_, err = Commit(ctx, st, dataset.Output{Path: out.Path, Format: "text"}, epochs[0], Meta{Job: "other", Epoch: 1})
			if core.KindOf(err) != core.Conflict {
				t.Errorf("%s: another job's commit: %v", out.Path, err)
			}
		}
	}
	left, err := filepath.Glob(dir + "/.*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestReplace(t *testing.T) {
	st := startStore(t)
	for _, path := range []string{"file://" + t.TempDir() + "/out", "s3://test/out"} {
		out := dataset.Output{Path: path, Format: "text", IfExists: "replace"}
		three := append(writeParts(t, st, out, "test/jobs/a/1/"), sidePart(t, st, "test/jobs/a/1/"))
		if _, err := Commit(ctx, st, out, three, Meta{Job: "a", Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		one := writeParts(t, st, out, "test/jobs/b/1/")[:1]
		if err := Exists(ctx, st, out); err != nil {
			t.Error(err)
		}
		if m, err := Commit(ctx, st, out, one, Meta{Job: "b", Epoch: 1}); err != nil || m.Job != "b" {
			t.Fatal(m, err)
		}
		var cat bytes.Buffer
		if err := Cat(ctx, st, path, &cat); err != nil || strings.Count(cat.String(), "\n") != 100 {
			t.Errorf("%s: %d rows, %v", path, strings.Count(cat.String(), "\n"), err)
		}
		files, err := input.List(ctx, dataset.Input{Path: dataset.StringList{path}}, st)
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v", path, files, err)
		}
	}
}

func sidePart(t testing.TB, st Store, prefix string) Part {
	pw := NewPart(st, prefix, "reduce-00001", 0, SidePart("stats.json", 1), t.TempDir())
	if _, err := pw.Write([]byte("side")); err != nil {
		t.Fatal(err)
	}
	p, err := pw.Close(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is no result is not replaced: a mistyped path must not cost a home folder.
func TestReplaceSparesStrangers(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := dataset.Output{Path: "file://" + dir, Format: "text", IfExists: "replace"}
	if err := Exists(ctx, st, out); core.KindOf(err) != core.Conflict {
		t.Error(err)
	}
	_, err := Commit(ctx, st, out, writeParts(t, st, out, "test/jobs/a/1/"), Meta{Job: "a", Epoch: 1})
	if core.KindOf(err) != core.Conflict {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.tex")); err != nil {
		t.Error(err)
	}

	out.Path = "s3://test/home"
	if _, err := st.Put(ctx, "test/home/thesis.tex", strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Exists(ctx, st, out); core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), "not the result") {
		t.Error(err)
	}
	_, err = Commit(ctx, st, out, writeParts(t, st, out, "test/jobs/a/1/"), Meta{Job: "a", Epoch: 1})
	if core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), "not the result") {
		t.Error(err)
	}
	if _, err := ReadManifest(ctx, st, out.Path); core.KindOf(err) != core.NotFound {
		t.Error("a manifest was left among strangers:", err)
	}
}

// A destination that is a symbolic link to a folder: its target is.
func TestDestinationLink(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(target, 0o755), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for _, job := range []core.JobID{"a", "b"} { // into the empty folder, and onto a result
		out := dataset.Output{Path: "file://" + link, Format: "text", IfExists: "replace"}
		if err := Exists(ctx, st, out); err != nil {
			t.Fatal(err)
		}
		if _, err := Commit(ctx, st, out, writeParts(t, st, out, "test/jobs/"+string(job)+"/1/"), Meta{Job: job, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		if m, err := ReadManifest(ctx, st, "file://"+target); err != nil || m.Job != job {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if names, err := filepath.Glob(dir + "/*"); err != nil || len(names) != 2 {
		t.Error(names, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestDeadLettersAndSideFiles(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir() + "/out"
	prefix := "test/jobs/a/1/"
	pw := NewPart(st, prefix, "map-00002", 1, DeadLetterPart(2), t.TempDir())
	dead := NewDeadLetters(pw)
	for _, b := range []input.Bad{
		{File: "file:///a", Offset: 7, Length: 3, Reason: "why", Sample: []byte("abc")},
		{File: "file:///b", Offset: 9, Length: -1, Reason: "rest", Sample: []byte{0xff}},
	} {
		if err := dead.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	p, err := pw.Close(ctx, dead.Count())
	if err != nil {
		t.Fatal(err)
	}
	out := dataset.Output{Path: "file://" + dir, Format: "text"}
	m, err := Commit(ctx, st, out, append(writeParts(t, st, out, prefix), p, sidePart(t, st, prefix)), Meta{Job: "a", Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range m.Parts {
		paths = append(paths, p.Path)
	}
	if diff := cmp.Diff([]string{"part-00000.txt", "part-00001.txt", "_side/stats.json-00001", "_dead/part-00002.jsonl"}, paths); diff != "" {
		t.Error(diff)
	}
	b, err := os.ReadFile(filepath.Join(dir, "_dead/part-00002.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var first struct {
		File, Reason, Sample string
		Offset               int64
	}
	lines := bytes.Split(b, []byte("\n"))
	if err := json.Unmarshal(lines[0], &first); err != nil || first.File != "file:///a" || first.Offset != 7 || first.Reason != "why" || first.Sample != "abc" {
		t.Errorf("%s: %v", lines[0], err)
	}
	if !bytes.Contains(lines[1], []byte(`"sampleBase64":"/w=="`)) {
		t.Errorf("%s", lines[1])
	}
	if b, err := os.ReadFile(filepath.Join(dir, "_side/stats.json-00001")); err != nil || string(b) != "side" {
		t.Errorf("%q, %v", b, err)
	}
}

// faulty fails every operation from the n-th on, as for a coordinator that dies.
type faulty struct {
	*store.Client
	left atomic.Int64
}

var errCrash = errors.New("crash")

func (f *faulty) dead() bool { return f.left.Add(-1) < 0 }

func (f *faulty) Put(ctx context.Context, path string, r io.Reader, size int64, o store.PutOptions) (store.Info, error) {
	if f.dead() {
		return store.Info{}, errCrash
	}
	return f.Client.Put(ctx, path, r, size, o)
}

func (f *faulty) Commit(ctx context.Context, path string, manifest []byte) error {
	if f.dead() {
		return errCrash
	}
	return f.Client.Commit(ctx, path, manifest)
}

func (f *faulty) Delete(ctx context.Context, path string) error {
	if f.dead() {
		return errCrash
	}
	return f.Client.Delete(ctx, path)
}

func (f *faulty) LocalFile(path string) (string, bool) {
	if f.dead() {
		return "/nowhere", true
	}
	return f.Client.LocalFile(path)
}

func (f *faulty) Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error) {
	if f.dead() {
		return nil, store.Info{}, errCrash
	}
	return f.Client.Get(ctx, path, off, length)
}

// A coordinator that dies after any step leaves either nothing or a result that
// the next one, of the same attempt or a later one, finishes.
func TestCrashBetweenSteps(t *testing.T) {
	st := startStore(t)
	dir := t.TempDir()
	for _, ifExists := range []string{"fail", "replace"} {
		for _, base := range []string{"file://" + dir + "/", "s3://test/"} {
			done := false
			for step := int64(0); !done; step++ {
				out := dataset.Output{Path: fmt.Sprintf("%s%s%d", base, ifExists, step), Format: "text", IfExists: ifExists}
				if ifExists == "replace" {
					if _, err := Commit(ctx, st, out, writeParts(t, st, out, "test/jobs/old/1/"), Meta{Job: "old", Epoch: 1}); err != nil {
						t.Fatal(err)
					}
				}
				first := writeParts(t, st, out, "test/jobs/a/1/")
				dying := &faulty{Client: st}
				dying.left.Store(step)
				_, err := Commit(ctx, dying, out, first, Meta{Job: "a", Epoch: 1})
				done = err == nil
				committed, err := ReadManifest(ctx, st, out.Path)
				if err != nil && core.KindOf(err) != core.NotFound {
					t.Fatal(err)
				}
				ok := committed.Job == "a"
				if ok {
					var cat bytes.Buffer
					if err := Cat(ctx, st, out.Path, &cat); err != nil || strings.Count(cat.String(), "\n") != 200 {
						t.Errorf("%s: after the manifest: %d rows, %v", out.Path, strings.Count(cat.String(), "\n"), err)
					}
				}
				if step%2 == 0 {
					if _, found, err := Committed(ctx, st, out, "a"); err != nil || found != ok {
						t.Errorf("%s: committed %v, the manifest says %v: %v", out.Path, found, ok, err)
					}
				}
				second := writeParts(t, st, out, "test/jobs/a/2/")
				m, err := Commit(ctx, st, out, second, Meta{Job: "a", Epoch: 2})
				if err != nil {
					t.Fatalf("%s: %v", out.Path, err)
				}
				if ok && m.Epoch != committed.Epoch || !ok && m.Epoch != 2 {
					t.Errorf("%s: epoch %d after %v %d", out.Path, m.Epoch, ok, committed.Epoch)
				}
				if err := Sweep(ctx, st, out, "a"); err != nil {
					t.Error(err)
				}
				files, err := input.List(ctx, dataset.Input{Path: dataset.StringList{out.Path}}, st)
				if err != nil || len(files) != 2 {
					t.Errorf("%s: %v, %v", out.Path, files, err)
				}
			}
		}
	}
	left, err := filepath.Glob(dir + "/.*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A job that dies for good while it replaces a result in the store leaves the
// old result, whole.
func TestSweepKeepsTheOldResult(t *testing.T) {
	st := startStore(t)
	out := dataset.Output{Path: "s3://test/kept", Format: "text", IfExists: "replace"}
	if _, err := Commit(ctx, st, out, writeParts(t, st, out, "test/jobs/old/1/"), Meta{Job: "old", Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	for step := range int64(6) {
		dying := &faulty{Client: st}
		dying.left.Store(step)
		if _, err := Commit(ctx, dying, out, writeParts(t, st, out, "test/jobs/a/1/"), Meta{Job: "a", Epoch: 1}); err == nil {
			t.Fatalf("the crash at step %d did not come", step)
		}
		if err := Sweep(ctx, st, out, "a"); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(ctx, st, out.Path)
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		var cat bytes.Buffer
		if err := Cat(ctx, st, out.Path, &cat); err != nil || strings.Count(cat.String(), "\n") != 200 {
			t.Errorf("step %d: %d rows, %v", step, strings.Count(cat.String(), "\n"), err)
		}
		files, err := input.List(ctx, dataset.Input{Path: dataset.StringList{out.Path}}, st)
		if err != nil || len(files) != 2 {
			t.Errorf("step %d: %v, %v", step, files, err)
		}
		if m.Job == "a" {
			return // from here on the commit has happened
		}
	}
	t.Error("no step committed")
}

// A part that changed on its way is noticed, and nothing is committed to a disk.
func TestChangedPart(t *testing.T) {
	st := startStore(t)
	for _, path := range []string{"file://" + t.TempDir() + "/out", "s3://test/changed"} {
		out := dataset.Output{Path: path, Format: "text"}
		parts := writeParts(t, st, out, "test/jobs/a/1/")
		if _, err := st.Put(ctx, parts[0].Object, strings.NewReader(strings.Repeat("x", int(parts[0].Bytes))), parts[0].Bytes, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := Commit(ctx, st, out, parts, Meta{Job: "a", Epoch: 1})
		if err == nil || !strings.Contains(err.Error(), "changed after it was written") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A half-replaced folder, where folders cannot be exchanged, comes back.
func TestSweepBringsBack(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".out.a.1.ABCDEFGH.old", ".out.a.1.IJKLMNOP.tmp", ".out.b.1.IJKLMNOP.tmp", ".out.a.b.1.IJKLMNOP.tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(ctx, nil, dataset.Output{Path: "file://" + dir + "/out"}, "a"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	// The second is of job b, which writes to out.a.
	if diff := cmp.Diff([]string{".out.a.b.1.IJKLMNOP.tmp", ".out.b.1.IJKLMNOP.tmp", "out"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// failsOnce is a disk that is full for one write.
type failsOnce struct {
	bytes.Buffer
	at, n int
}

func (f *failsOnce) Write(b []byte) (int, error) {
	if f.n++; f.n == f.at {
		return 0, unix.ENOSPC
	}
	return f.Buffer.Write(b)
}

// Row groups end by their bytes as well, and a row group that could not be
// written is an error, though others could.
func TestParquetRowGroups(t *testing.T) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "b", Type: arrow.BinaryTypes.Binary}}, nil))
	defer b.Release()
	for i := range 20 {
		b.Field(0).(*array.BinaryBuilder).Append(storetest.Bytes(1<<20, uint64(i)))
	}
	rec := b.NewRecord()
	defer rec.Release()
	write := func(to io.Writer) error {
		w, err := New(to, Options{Format: "parquet", Compression: "none", Schema: rec.Schema()})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			err = errors.Join(err, w.Write(rec))
		}
		return errors.Join(err, w.Close())
	}
	good := new(failsOnce)
	if err := write(good); err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(good.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if r.NumRowGroups() != 2 || r.NumRows() != 60 {
		t.Errorf("%d row groups of %d rows, want 2 of 60", r.NumRowGroups(), r.NumRows())
	}
	for _, at := range []int{2, good.n} { // of the first row group, and of the footer
		if err := write(&failsOnce{at: at}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("write %d of %d fails: %v", at, good.n, err)
		}
	}
}

func TestPartSpills(t *testing.T) {
	st := startStore(t)
	scratch := t.TempDir()
	pw := NewPart(st, "test/jobs/a/1/", "map-00000", 3, ResultPart(0, "text", ""), scratch)
	chunk := storetest.Bytes(1<<20, 1)
	var want []byte
	for range 6 {
		if _, err := pw.Write(chunk); err != nil {
			t.Fatal(err)
		}
		want = append(want, chunk...)
	}
	p, err := pw.Close(ctx, 1)
	if err != nil || p.Bytes != 6<<20 || p.Object != "test/jobs/a/1/out/map-00000.3/part-00000.txt" {
		t.Fatal(p, err)
	}
	if !bytes.Equal(storetest.ReadAll(t, st, p.Object), want) {
		t.Error("the object differs")
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
