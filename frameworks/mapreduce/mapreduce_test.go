package mapreduce

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

type point struct {
	X int
	N string
}

type (
	named  string
	number int32
)

// roundTrip sends v through the exchange as key and as value.
func roundTrip[T any](t *rapid.T, v T, same func(a, b T) bool) {
	t.Helper()
	c, err := newCodec[T]()
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.key(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.fromKey(b); err != nil || !same(got, v) {
		t.Fatalf("key %v came back as %v, %v", v, got, err)
	}
	var got T
	switch {
	case c.whole != nil:
		got = c.fromWhole(c.whole(v))
	case c.float != nil:
		got = c.fromFloat(c.float(v))
	default:
		b, err := c.bytes(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = c.fromBytes(b); err != nil {
			t.Fatal(err)
		}
	}
	if !same(got, v) {
		t.Fatalf("value %v came back as %v", v, got)
	}
}

func equal[T comparable](a, b T) bool { return a == b }

func TestCodecsKeepValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roundTrip(t, rapid.String().Draw(t, "s"), equal)
		roundTrip(t, named(rapid.String().Draw(t, "n")), equal)
		roundTrip(t, rapid.SliceOf(rapid.Byte()).Draw(t, "b"), bytes.Equal)
		roundTrip(t, rapid.Int().Draw(t, "i"), equal)
		roundTrip(t, number(rapid.Int32().Draw(t, "i32")), equal)
		roundTrip(t, rapid.Int8().Draw(t, "i8"), equal)
		roundTrip(t, rapid.Uint64().Draw(t, "u64"), equal)
		roundTrip(t, rapid.Uint16().Draw(t, "u16"), equal)
		roundTrip(t, rapid.Float64().Draw(t, "f"), equal)
		roundTrip(t, rapid.Float32().Draw(t, "f32"), equal)
		roundTrip(t, rapid.Bool().Draw(t, "bool"), equal)
		roundTrip(t, point{rapid.Int().Draw(t, "x"), rapid.StringMatching(`[a-zé]*`).Draw(t, "n")}, equal)
	})
	if _, err := newCodec[chan int](); core.KindOf(err) != core.Invalid {
		t.Errorf("a channel as a key: %v", err)
	}
}

// inOrder runs a job that emits each value as a key, over three partitions by
// range, and returns the keys as text.
func inOrder[T any](t *testing.T, values []T) string {
	t.Helper()
	job := Job{
		Name: "order",
		Map: Map("emit", func(_ string, out Emit[T, bool]) error {
			for _, v := range values {
				out(v, true)
			}
			return nil
		}),
		Reduce: Reduce("keys", func(key T, _ iter.Seq[bool], out Emit[T, bool]) error { out(key, true); return nil }),
	}
	job.Shuffle = spec.Shuffle{By: "range", Partitions: 3}
	r, err := LocalText(t.Context(), job, "x\n")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSuffix(r.Text(), "\ttrue\n"), "\ttrue\n", " ")
}

// An empty value is a value, wherever its emptiness comes from: it has its TAB.
func TestEmptyValues(t *testing.T) {
	texts := Map("texts", func(line string, out Emit[string, string]) error {
		var none string
		out("a", "")
		out("b", none)
		out("c", line[:0])
		out("d", line[len(line):])
		return nil
	})
	raw := Map("raw", func(line string, out Emit[string, []byte]) error {
		out("e", nil)
		out("f", []byte{})
		return nil
	})
	for _, c := range []struct {
		m    Mapper
		want string
	}{{texts, "a\t\nb\t\nc\t\nd\t\n"}, {raw, "e\t\nf\t\n"}} {
		r, err := LocalText(t.Context(), Job{Name: "empty", Map: c.m}, "line\n")
		if err != nil {
			t.Fatal(err)
		}
		if r.Text() != c.want {
			t.Errorf("got %q, want %q", r.Text(), c.want)
		}
	}
}

// A record of a structured format that a function refuses has a place as well.
func TestBadRecordsHaveAPlace(t *testing.T) {
	bad := Map("bad", func(line string, out Emit[string, string]) error {
		if strings.Contains(line, "oops") {
			return Bad("no good")
		}
		return nil
	})
	file := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(file, []byte("a,b\n1,2\noops,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, onBad := range []string{"deadLetter", "fail"} {
		r, err := Local(t.Context(), Job{Name: "bad", Map: bad, Input: spec.Input{Format: "csv"}, OnBadRecord: onBad}, file)
		said := fmt.Sprint(err)
		if err == nil {
			said = string(r.DeadLetters)
		}
		if !strings.Contains(said, "file://"+file) || !strings.Contains(said, "no good") {
			t.Errorf("%s: %s", onBad, said)
		}
	}
}

func TestKeysSortAsNumbers(t *testing.T) {
	if got := inOrder(t, []int{10, -1, 9, 0, math.MinInt64}); got != "-9223372036854775808 -1 0 9 10" {
		t.Error(got)
	}
	if got := inOrder(t, []float64{2.5, -1e9, 10, 0}); got != "-1e+09 0 2.5 10" {
		t.Error(got)
	}
	if got := inOrder(t, []uint8{200, 3}); got != "3 200" {
		t.Error(got)
	}
	if got := inOrder(t, []named{"b", "a", "B"}); got != "B a b" {
		t.Error(got)
	}
}

func TestCombinersAgree(t *testing.T) {
	var text strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&text, "w%d w%d\n", i%700, i%13)
	}
	split := Map("split", func(line string, out Emit[string, int64]) error {
		for w := range strings.FieldsSeq(line) {
			out(w, 1)
		}
		return nil
	})
	add := Reduce("add", func(key string, values iter.Seq[int64], out Emit[string, int64]) error {
		sum := int64(0)
		for v := range values {
			sum += v
		}
		out(key, sum)
		return nil
	})
	var want string
	for i, job := range []Job{
		{Name: "plain", Map: split, Reduce: add},
		{Name: "fold", Map: split, Reduce: Sum[string, int64]("sum")},
		{Name: "combined", Map: split, Combine: add, Reduce: add},
		{Name: "mixed", Map: split, Combine: Sum[string, int64]("sum"), Reduce: add},
	} {
		r, err := LocalText(t.Context(), job, text.String())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = r.Text()
		}
		if r.Text() != want || strings.Count(want, "\n") != 700 {
			t.Errorf("%s: another answer", job.Name)
		}
	}
}

func TestStructsAndErrors(t *testing.T) {
	job := Job{
		Name: "points",
		Map: Map("points", func(line string, out Emit[point, []byte]) error {
			if line == "fail" {
				return errors.New("no such point")
			}
			out(point{len(line), line}, []byte(line))
			return nil
		}),
		Reduce: Reduce("join", func(p point, lines iter.Seq[[]byte], out Emit[string, float64]) error {
			n := 0
			for range lines {
				n++
			}
			out(p.N, float64(n)/2)
			return nil
		}),
	}
	r, err := LocalText(t.Context(), job, "a\nbb\na\n")
	if err != nil || r.Text() != "a\t1\nbb\t0.5\n" {
		t.Errorf("got %v, %v", r, err)
	}
	_, err = LocalText(t.Context(), job, "a\nfail\n")
	if err == nil || !strings.Contains(err.Error(), "at byte 2: no such point") {
		t.Errorf("a function's error: %v", err)
	}
}

func TestValidate(t *testing.T) {
	good := Map("m", func(string, Emit[string, int64]) error { return nil })
	for _, j := range []Job{
		{Name: "UPPER", Map: good}, {Name: strings.Repeat("x", 41), Map: good}, // the document's limit is 40 {Name: "nomap"}, {Name: "combine", Map: good, Combine: Sum[string, int64]("s")},
		{Name: "types", Map: good, Reduce: Reduce("r", func(int, iter.Seq[int64], Emit[string, string]) error { return nil })},
		{Name: "chan", Map: Map("m", func(string, Emit[string, chan int]) error { return nil })},
	} {
		if err := j.Validate(); core.KindOf(err) != core.Invalid || core.AsError(err).Remedy == "" {
			t.Errorf("%s: %v", j.Name, err)
		}
	}
	if err := (Job{Name: "good", Map: good}).Validate(); err != nil {
		t.Error(err)
	}
}

func testDriver() (driver, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return driver{stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}, &out, &errs
}

func wordcount() Job {
	return Job{Name: "wc", Map: Map("split", func(string, Emit[string, int64]) error { return nil }), Reduce: Sum[string, int64]("sum")}
}

func TestDriverWritesTheDocument(t *testing.T) {
	d, out, errs := testDriver()
	if code := d.run(wordcount(), []string{"--", "file:///in", "-size", "3", "rel", "-cpu", "500m", "-spec", "-image", "x"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var doc core.Spec
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	body, err := spec.Parse(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	wd, _ := os.Getwd()
	self, _ := os.Executable()
	if doc.Kind != "MapReduce" || doc.Metadata.Name != "wc" || doc.Gang.Size != 3 || doc.Gang.CPU != 500 ||
		body.Map.Program != self || body.Map.Use != "split" || body.Reduce.Use != "sum" ||
		body.Output.Path != "s3://results/wc-20260102-030405" || body.Preview.Limit != 20 ||
		!slices.Equal(body.Input.Path, []string{"file:///in", "file://" + filepath.Join(wd, "rel")}) {
		t.Errorf("document %s", out)
	}
	if found := spec.Check(&doc, nil); len(found) > 0 {
		t.Errorf("the document is refused: %v", found)
	}
}

func TestDriverUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-nosuch", "file:///x"}, {"-cpu", "lots", "file:///x"}} {
		d, _, errs := testDriver()
		if code := d.run(wordcount(), args); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
	d, _, errs := testDriver()
	if _, err := d.arguments(new(Job), []string{"-help"}); !errors.Is(err, flag.ErrHelp) || !strings.Contains(errs.String(), "-output") {
		t.Errorf("help: %v, %s", err, errs)
	}
}

func TestDriverRunsCapstan(t *testing.T) {
	fake := filepath.Join(t.TempDir(), "capstan")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho \"$@\"; cat >/dev/null; echo oops >&2; exit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CAPSTAN_BIN", fake)
	d, out, errs := testDriver()
	if code := d.run(wordcount(), []string{"file:///in"}); code != 5 || out.String() != "run -\n" || errs.String() != "oops\n" {
		t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
	}
	t.Setenv("CAPSTAN_BIN", fake+"-missing")
	if code := d.run(wordcount(), []string{"file:///in"}); code != 2 {
		t.Errorf("without the command: exit code %d", code)
	}
}

func BenchmarkTypedWordCount(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 16<<20; i++ {
		fmt.Fprintf(&text, "func word%d(a int, b *name%d) error { return nil }\n", i%5000, i%70)
	}
	file := filepath.Join(b.TempDir(), "in")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	split := Map("split", func(line string, out Emit[string, int64]) error {
		for w := range strings.FieldsSeq(line) {
			out(w, 1)
		}
		return nil
	})
	add := Reduce("add", func(key string, values iter.Seq[int64], out Emit[string, int64]) error {
		sum := int64(0)
		for v := range values {
			sum += v
		}
		out(key, sum)
		return nil
	})
	for _, job := range []Job{
		{Name: "fold", Map: split, Reduce: Sum[string, int64]("sum")},
		{Name: "combine", Map: split, Combine: add, Reduce: add},
	} {
		b.Run(job.Name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				if _, err := Local(b.Context(), job, file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
