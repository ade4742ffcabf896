package input

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type line struct {
	off  int64
	text string
}

func (l line) String() string { return fmt.Sprintf("%d:%q", l.off, l.text) }

// linesOf is the plain model of the block reader: every line, where it begins,
// and whether it is good.
func linesOf(content []byte, o Options) (good, bad []line) {
	for off := 0; off < len(content); {
		n := bytes.IndexByte(content[off:], '\n')
		next := off + n + 1
		if n < 0 {
			n, next = len(content)-off, len(content)
		}
		text := bytes.TrimSuffix(content[off:off+n], []byte("\r"))
		l := line{int64(off), string(text)}
		if off == 0 && !o.Binary && bytes.HasPrefix(text, byteOrderMark) {
			l = line{3, string(text[3:])}
		}
		if int64(len(text)) > o.MaxRecord || (!o.Binary && !utf8.Valid(text)) {
			bad = append(bad, line{off: int64(off)})
		} else {
			good = append(good, l)
		}
		off = next
	}
	return good, bad
}

func readSplit(t testing.TB, s Split, o Options) (good []line, bad []Bad) {
	o.Bad = func(b Bad) error { bad = append(bad, b); return nil }
	r := NewBlockReader(s, o)
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		b, err := r.Next(context.Background())
		if err == io.EOF {
			return good, bad
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Data) == 0 || b.Data[len(b.Data)-1] != '\n' {
			t.Fatalf("block %q does not end with a newline", b.Data)
		}
		for off, l := range b.Lines() {
			good = append(good, line{off, string(l)})
		}
	}
}

func writeFile(t testing.TB, dir, name string, content []byte) File {
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return File{URL: FileURL(p), Size: int64(len(content))}
}

func gzipped(t testing.TB, p []byte) []byte {
	var b bytes.Buffer
	// Two members, as of concatenated files.
	for _, part := range [][]byte{p[:len(p)/2], p[len(p)/2:]} {
		w := gzip.NewWriter(&b)
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func zstded(t testing.TB, p []byte) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func contents() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		ends := rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", "\r\r\n"})
		text := rapid.OneOf(
			rapid.StringMatching(`[a-c é]{0,12}`),
			rapid.StringN(0, 8, -1),
			rapid.SampledFrom([]string{"\ufeff", "\xff", "ab\xc3", "\r", strings.Repeat("long ", 20)}),
		)
		var b []byte
		for range rapid.IntRange(0, 12).Draw(t, "lines") {
			b = append(b, text.Draw(t, "line")...)
			b = append(b, ends.Draw(t, "end")...)
		}
		if rapid.Bool().Draw(t, "unfinished") {
			b = append(b, text.Draw(t, "last")...)
		}
		return b
	})
}

// Law I1: whatever the cuts, every record comes exactly once.
func TestEveryLineOnce(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		content := contents().Draw(rt, "content")
		o := Options{
			Buffer:    rapid.IntRange(16, 64).Draw(rt, "buffer"),
			MaxRecord: int64(rapid.IntRange(1, 120).Draw(rt, "max")),
			Binary:    rapid.Bool().Draw(rt, "binary"),
		}
		f := writeFile(t, dir, "f.txt", content)
		size := rapid.Int64Range(1, 80).Draw(rt, "size")
		var good []line
		var bad []line
		for at := int64(0); at < f.Size; at += size {
			g, b := readSplit(t, Split{Ranges: []Range{{File: f, Offset: at, Length: min(size, f.Size-at)}}}, o)
			good = append(good, g...)
			for _, b := range b {
				bad = append(bad, line{off: b.Offset})
			}
		}
		wantGood, wantBad := linesOf(content, o)
		if fmt.Sprintf("%v", good) != fmt.Sprintf("%v", wantGood) {
			rt.Fatalf("lines\n got %v\nwant %v", good, wantGood)
		}
		if fmt.Sprint(bad) != fmt.Sprint(wantBad) {
			rt.Fatalf("bad lines\n got %v\nwant %v", bad, wantBad)
		}
	})
}

// Several files in one split, compressed or not, with or without a telling name.
func TestFilesInOneSplit(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{Buffer: rapid.IntRange(16, 64).Draw(rt, "buffer"), MaxRecord: 100}
		var s Split
		var want []line
		for i := range rapid.IntRange(1, 4).Draw(rt, "files") {
			content := contents().Draw(rt, "content")
			r := Range{}
			switch rapid.SampledFrom([]string{"plain", "gz", "zst", "hidden gz"}).Draw(rt, "codec") {
			case "gz":
				r = Range{File: writeFile(t, dir, fmt.Sprintf("%d.gz", i), gzipped(t, content)), Codec: "gzip"}
			case "hidden gz":
				r = Range{File: writeFile(t, dir, fmt.Sprintf("%d.log", i), gzipped(t, content))}
			case "zst":
				if len(content) == 0 {
					content = []byte("x") // the encoder writes no frame for nothing
				}
				r = Range{File: writeFile(t, dir, fmt.Sprintf("%d.zst", i), zstded(t, content)), Codec: "zstd"}
			default:
				r = Range{File: writeFile(t, dir, fmt.Sprintf("%d.txt", i), content)}
			}
			r.Length = r.Size
			s.Ranges = append(s.Ranges, r)
			good, _ := linesOf(content, o)
			want = append(want, good...)
		}
		if got, _ := readSplit(t, s, o); fmt.Sprintf("%v", got) != fmt.Sprintf("%v", want) {
			rt.Fatalf("lines\n got %v\nwant %v", got, want)
		}
	})
}

// A file cut off or damaged anywhere loses no line in silence: what comes out
// is a prefix, and anything missing is reported.
func TestDamagedCompression(t *testing.T) {
	var content []byte
	for i := range 300 {
		content = fmt.Appendf(content, "line %d of some text %d\n", i, i*i)
	}
	want, _ := linesOf(content, Options{MaxRecord: 1 << 20})
	dir := t.TempDir()
	for name, whole := range map[string][]byte{"x.gz": gzipped(t, content), "x.zst": zstded(t, content)} {
		check := func(what string, stored []byte, mustFail bool) {
			f := writeFile(t, dir, name, stored)
			s := Split{Ranges: []Range{{File: f, Length: f.Size, Codec: codecByName(name)}}}
			good, bad := readSplit(t, s, Options{Buffer: 256})
			for i, l := range good {
				if i >= len(want) || l != want[i] {
					// Damage within a member is known only at its checksum; until
					// then wrong bytes may come out, but never without a report.
					if len(bad) == 0 {
						t.Fatalf("%s, %s: line %d is %v", name, what, i, l)
					}
					break
				}
			}
			if (len(good) < len(want) || mustFail) && len(bad) != 1 {
				t.Fatalf("%s, %s: %d of %d lines, %d reports", name, what, len(good), len(want), len(bad))
			}
			for _, b := range bad {
				if b.Length != -1 || b.File != f.URL || !strings.Contains(b.Reason, "compressed byte") && !strings.Contains(b.Reason, "the content is") && !strings.Contains(b.Reason, "empty") {
					t.Fatalf("%s, %s: report %+v", name, what, b)
				}
			}
		}
		for n := range whole {
			if bytes.HasPrefix(whole[n:], gzipMagic) && n > 0 {
				continue // between two members: a file that ends there is whole
			}
			check(fmt.Sprintf("cut at %d", n), whole[:n], false)
		}
		for n := 0; n < len(whole); n += 3 {
			damaged := bytes.Clone(whole)
			damaged[n] ^= 0x10
			check(fmt.Sprintf("flipped at %d", n), damaged, false)
		}
		check("with a tail", append(bytes.Clone(whole), "tail"...), true)
	}
}

func TestBadRecordEndsTheReader(t *testing.T) {
	f := writeFile(t, t.TempDir(), "f", []byte("good\nb\xffd\nmore\n"))
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{})
	defer r.Close()
	b, err := r.Next(context.Background())
	if err != nil || string(b.Data) != "good\n" {
		t.Fatalf("first block %q, %v", b.Data, err)
	}
	_, err = r.Next(context.Background())
	e := core.AsError(err)
	if e == nil || e.Kind != core.Failed || e.Where != f.URL+" at byte 5" || e.Remedy == "" || !strings.Contains(e.What, "not UTF-8 at byte 1") {
		t.Fatalf("error %+v", e)
	}
}

func TestLongLineInBoundedMemory(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 3<<20)
	content := append([]byte("first\n"), long...)
	content = append(content, "\nlast"...)
	f := writeFile(t, t.TempDir(), "f", content)
	var bad []Bad
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size}}}, Options{MaxRecord: 64 << 10, Buffer: 32 << 10,
		Bad: func(b Bad) error { bad = append(bad, b); return nil }})
	defer r.Close()
	var got []byte
	for {
		b, err := r.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b.Data...)
		if len(r.buf) > 128<<10 {
			t.Fatalf("the buffer grew to %d bytes", len(r.buf))
		}
	}
	if string(got) != "first\nlast\n" {
		t.Fatalf("got %q", got)
	}
	if len(bad) != 1 || bad[0].Offset != 6 || bad[0].Length != 3<<20 || len(bad[0].Sample) != SampleSize || bad[0].Reason != "longer than 64Ki" || !bad[0].Long {
		t.Fatalf("reports %+v", bad)
	}
}

// A range within a long record reads itself and no further: a record of n
// ranges would else be read n times over.
func TestRangeInsideALongRecord(t *testing.T) {
	const size, step = 4 << 20, 64 << 10
	f := writeFile(t, t.TempDir(), "f", append(bytes.Repeat([]byte("x"), size), "\nlast\n"...))
	read := int64(0)
	var got []byte
	for at := int64(0); at < f.Size; at += step {
		r := NewBlockReader(Split{Ranges: []Range{{File: f, Offset: at, Length: min(step, f.Size-at)}}}, Options{Buffer: 32 << 10})
		for {
			b, err := r.Next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.Data...)
		}
		read += r.pos - at
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != int(f.Size) || !bytes.HasSuffix(got, []byte("x\nlast\n")) {
		t.Errorf("%d bytes of %d came", len(got), f.Size)
	}
	// The record itself once, its ranges once.
	if read > 3*size {
		t.Errorf("%d bytes were read of a file of %d", read, f.Size)
	}
}

// A file cut short since the job was planned has lost records: that is told.
func TestFileThatShrank(t *testing.T) {
	f := writeFile(t, t.TempDir(), "f", []byte("a\nb\nc\n"))
	if err := os.Truncate(strings.TrimPrefix(f.URL, "file://"), 4); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Range{{File: f, Length: 6}, {File: f, Offset: 3, Length: 3}, {File: f, Offset: 5, Length: 1}} {
		r := NewBlockReader(Split{Ranges: []Range{s}}, Options{Bad: func(Bad) error { return nil }})
		var err error
		for err == nil {
			_, err = r.Next(context.Background())
		}
		if e := core.AsError(err); e.Kind != core.Failed || e.Where != f.URL || !strings.Contains(e.What, "had 6 when") {
			t.Errorf("from %d: %v", s.Offset, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestByteOrderMarkIsNoText(t *testing.T) {
	f := writeFile(t, t.TempDir(), "f", []byte("\ufeffa\n\ufeffb\n"))
	s := Split{Ranges: []Range{{File: f, Length: f.Size}}}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, `[3:"a" 5:"\ufeffb"]`},
		{Options{Binary: true}, `[0:"\ufeffa" 5:"\ufeffb"]`},
	} {
		if good, _ := readSplit(t, s, c.o); fmt.Sprint(good) != c.want {
			t.Errorf("got %v, want %s", good, c.want)
		}
	}
}

// pzstd puts a frame of its own before each of its frames.
func TestFramesOfPzstd(t *testing.T) {
	own := []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00\x01\x02\x03\x04")
	content := slices.Concat(own, zstded(t, []byte("a\nb")), own, zstded(t, []byte("c\n")))
	f := writeFile(t, t.TempDir(), "f.zst", content)
	good, bad := readSplit(t, planned(t, Options{}, 0, f)[0], Options{})
	if fmt.Sprint(good) != `[0:"a" 2:"bc"]` || len(bad) > 0 {
		t.Errorf("got %v, %v", good, bad)
	}
}

func TestWhere(t *testing.T) {
	for want, b := range map[string]Bad{
		"file:///a at byte 0":          {File: "file:///a"},
		"file:///a at byte 7 (line 2)": {File: "file:///a", Offset: 7, Line: 2},
		"file:///a":                    {File: "file:///a", Offset: -1},
	} {
		if got := b.Where(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRemedy(t *testing.T) {
	for want, b := range map[string]Bad{
		"spec.input.maxRecord": {Long: true, Reason: "longer than 16Mi"},
		"repair the record":    {Length: 3, Reason: "not UTF-8 at byte 0"},
		"replace the file":     {Length: -1, Reason: "the rest of the file is unreadable"},
	} {
		if got := b.Err().Remedy; !strings.Contains(got, want) {
			t.Errorf("%s: remedy %q, want one with %q", b.Reason, got, want)
		}
	}
}

func TestFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	ok := writeFile(t, dir, "a", []byte("a\n"))
	gone := File{URL: FileURL(filepath.Join(dir, "b")), Size: 2}
	r := NewBlockReader(Split{Ranges: []Range{{File: ok, Length: 2}, {File: gone, Length: 2}}}, Options{Bad: func(Bad) error { return nil }})
	defer r.Close()
	if _, err := r.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next(context.Background())
	if e := core.AsError(err); e == nil || e.Where != gone.URL || e.Remedy == "" {
		t.Fatalf("error %+v", e)
	}
}

func FuzzBlockReader(f *testing.F) {
	f.Add([]byte("a\nb\r\nc"), uint8(16), uint8(3), uint8(2))
	f.Add([]byte("\x1f\x8b\x08\x00"), uint8(20), uint8(9), uint8(200))
	f.Add([]byte("\x28\xb5\x2f\xfd\x24\x00"), uint8(20), uint8(9), uint8(200))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte, buffer, longest, size uint8) {
		o := Options{Buffer: 16 + int(buffer), MaxRecord: 1 + int64(longest)}
		file := writeFile(t, dir, "f", content)
		if codecByMagic(content) != "" {
			readSplit(t, Split{Ranges: []Range{{File: file, Length: file.Size}}}, o)
			return
		}
		var good []line
		for at := int64(0); at < file.Size; at += int64(size) + 1 {
			g, _ := readSplit(t, Split{Ranges: []Range{{File: file, Offset: at, Length: min(int64(size)+1, file.Size-at)}}}, o)
			good = append(good, g...)
		}
		if want, _ := linesOf(content, o); fmt.Sprintf("%v", good) != fmt.Sprintf("%v", want) {
			t.Fatalf("lines\n got %v\nwant %v", good, want)
		}
	})
}

// The same 90 MB in one file and in 10,000: the second may cost at most twice
// the first.
func BenchmarkBlockReader(b *testing.B) {
	const size = 90 << 20
	text := bytes.Repeat([]byte("func (r *Reader) Next() (Block, error) { return r.take(n), nil } // a line of source\n"), size/10000/85)
	dir := b.TempDir()
	var one, many Split
	var all bytes.Buffer
	for i := range 10000 {
		f := writeFile(b, dir, fmt.Sprintf("%d/%d.go", i/100, i), text)
		many.Ranges = append(many.Ranges, Range{File: f, Length: f.Size})
		all.Write(text)
	}
	f := writeFile(b, dir, "one.go", all.Bytes())
	one.Ranges = []Range{{File: f, Length: f.Size}}
	run := func(b *testing.B, s Split, o Options) {
		b.SetBytes(f.Size)
		for b.Loop() {
			r := NewBlockReader(s, o)
			var n int64
			for {
				blk, err := r.Next(context.Background())
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				n += int64(len(blk.Data))
			}
			r.Close()
			if n != f.Size {
				b.Fatalf("%d bytes of %d", n, f.Size)
			}
		}
	}
	b.Run("one", func(b *testing.B) { run(b, one, Options{}) })
	b.Run("10000", func(b *testing.B) { run(b, many, Options{}) })
	b.Run("one/256Ki", func(b *testing.B) { run(b, one, Options{Buffer: 256 << 10}) })
	b.Run("10000/256Ki", func(b *testing.B) { run(b, many, Options{Buffer: 256 << 10}) })
}
