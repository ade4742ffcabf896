package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sh is a shell command in a directory of its own.
func sh(t *testing.T, text string) Command {
	t.Helper()
	dir := t.TempDir()
	return Command{Argv: []string{"sh", "-c", text}, Dir: dir, Env: Environ(Place{Job: "j", Scratch: dir}, nil)}
}

// output runs c over in and returns what it writes.
func output(t *testing.T, c Command, in string) (string, error) {
	t.Helper()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(p, in)
		p.CloseInput()
	}()
	out, err := io.ReadAll(p)
	<-written
	return string(out), errors.Join(err, p.Wait())
}

func TestPipesCarryWholeInput(t *testing.T) {
	in := strings.Repeat("a line of text\n", 400_000)
	got, err := output(t, sh(t, "cat"), in)
	if err != nil || got != in {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(in), err)
	}
}

func TestFloodedStderrIsBounded(t *testing.T) {
	c := sh(t, `i=0; while [ $i -lt 20000 ]; do echo "line $i of a flood" >&2; i=$((i+1)); done; head -c 3000000 /dev/zero >&2; exit 1`)
	var logged []string
	c.Log = func(line string) { logged = append(logged, line) }
	_, err := output(t, c, "")
	e := core.AsError(err)
	if e.Kind != core.Failed || len(e.Detail) > tailLines*(maxTailLine+1) || !strings.Contains(e.Detail, "line 19999") {
		t.Errorf("error %v with %d bytes of detail", err, len(e.Detail))
	}
	last := logged[len(logged)-1]
	if len(logged) > 15000 || !strings.Contains(last, "were not kept") {
		t.Errorf("%d lines logged, the last %.100q", len(logged), last)
	}
	for _, l := range logged {
		if len(l) > maxErrLine {
			t.Errorf("a logged line of %d bytes", len(l))
		}
	}
}

func TestReports(t *testing.T) {
	c := sh(t, `printf 'reporter:counter:g,a,b,2\nreporter:counter:g, n ,-1\nreporter:status:half way\nreporter:counter:bad\nplain\n' >&2`)
	var got []string
	c.Counter = func(g, n string, v int64) { got = append(got, fmt.Sprintf("%s/%s=%d", g, n, v)) }
	c.Status = func(s string) { got = append(got, "status "+s) }
	c.Log = func(s string) { got = append(got, "log "+s) }
	if _, err := output(t, c, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{"g/a,b=2", "g/n=-1", "status half way", "log reporter:counter:bad", "log plain"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCancelKillsTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := sh(t, `sleep 1000 & echo $!; wait`)
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	child := -1
	err = ReadLines(p, 100, func(lines []byte) error {
		pid, err := strconv.Atoi(strings.TrimSpace(string(lines)))
		if err == nil {
			child, err = unix.PidfdOpen(pid, 0)
		}
		cancel()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	defer unix.Close(child)
	ended := []unix.PollFd{{Fd: int32(child), Events: unix.POLLIN}}
	if n, err := unix.Poll(ended, 10_000); n != 1 || err != nil {
		t.Errorf("the script's child is alive: %d, %v", n, err)
	}
}

func TestExitStatus(t *testing.T) {
	_, err := output(t, sh(t, "kill -TERM $$"), "")
	if err == nil || !strings.Contains(err.Error(), "killed by signal 15") {
		t.Errorf("killed by a signal: %v", err)
	}
	_, err = output(t, sh(t, "echo why >&2; exit 7"), "")
	if e := core.AsError(err); e == nil || !strings.Contains(e.What, "status 7") || e.Detail != "why" || e.Remedy == "" {
		t.Errorf("exit 7: %v", err)
	}
}

func TestWriteToOneThatStopsReading(t *testing.T) {
	p, err := Start(t.Context(), sh(t, "head -c 1 >/dev/null; exec 0<&-; echo done"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = p.Write(make([]byte, 1<<16))
	}
	if !Closed(err) {
		t.Errorf("Write: %v", err)
	}
	out, err := io.ReadAll(p)
	if err := errors.Join(err, p.Wait()); err != nil || string(out) != "done\n" {
		t.Errorf("output %q, %v", out, err)
	}
}

func TestMissingInterpreter(t *testing.T) {
	c := sh(t, "")
	path := filepath.Join(c.Dir, "s")
	if err := os.WriteFile(path, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.Argv = []string{"./s"}
	if _, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "interpreter") {
		t.Errorf("Start: %v", err)
	}
}

func TestReadLines(t *testing.T) {
	long := strings.Repeat("x", pipeSize)
	for _, in := range []string{"", "\n", "a", "a\n", "a\nb", "\n\n", long + "\nb\n", "a\n" + long} {
		want := in
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "halves": iotest.HalfReader(strings.NewReader(in))} {
			var got bytes.Buffer
			err := ReadLines(r, 2*pipeSize, func(lines []byte) error {
				if lines[len(lines)-1] != '\n' {
					t.Error("a run that does not end a line")
				}
				got.Write(lines)
				return nil
			})
			if err != nil || got.String() != want {
				t.Errorf("%s of %d bytes: %d back, %v", name, len(in), got.Len(), err)
			}
		}
	}
	err := ReadLines(strings.NewReader(strings.Repeat("x", 3*pipeSize)), pipeSize, func([]byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "longer than 1Mi") {
		t.Errorf("an endless line: %v", err)
	}
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("a\n\nb"), 2)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		var got []byte
		r := &chunkReader{data: in, step: 1 + max(step, 0)%7}
		if err := ReadLines(r, 1<<20, func(l []byte) error { got = append(got, l...); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(in) > 0 && in[len(in)-1] != '\n' {
			in = append(bytes.Clone(in), '\n')
		}
		if !bytes.Equal(got, in) {
			t.Fatalf("got %q, want %q", got, in)
		}
	})
}

type chunkReader struct {
	data []byte
	step int
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.step, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

// stream is an Arrow stream of words and counts.
func stream(tb testing.TB, batches ...[]string) []byte {
	tb.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "key", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "value", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	var out bytes.Buffer
	w := NewRecordWriter(&out)
	for _, words := range batches {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for _, word := range words {
			b.Field(0).(*array.StringBuilder).Append(word)
			b.Field(1).(*array.Int64Builder).Append(int64(len(word)))
		}
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			tb.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestRecordsRoundTrip(t *testing.T) {
	in := stream(t, []string{"a", "bb"}, []string{"", "ccc"})
	got, err := output(t, sh(t, "cat"), string(in))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	err = ReadRecords(strings.NewReader(got), 1<<20, func(k, v arrow.Array) error {
		for i := range k.Len() {
			pairs = append(pairs, k.(*array.String).Value(i)+strconv.FormatInt(v.(*array.Int64).Value(i), 10))
		}
		return nil
	})
	if want := []string{"a1", "bb2", "0", "ccc3"}; err != nil || !slices.Equal(pairs, want) {
		t.Errorf("got %q, %v", pairs, err)
	}
	if err := ReadRecords(strings.NewReader(""), 1, nil); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestBrokenStreams(t *testing.T) {
	good := stream(t, []string{"a", "bb"})
	for name, in := range map[string][]byte{
		"text": []byte("hello, this is no stream\n"), "cut": good[:len(good)/2], "header": good[:3],
		"joined": append(bytes.Clone(good), good...), "chatty": append(bytes.Clone(good), "done\n"...),
		"huge": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	} {
		err := ReadRecords(bytes.NewReader(in), 1<<20, func(k, v arrow.Array) error { return nil })
		if e := core.AsError(err); e == nil || e.Kind != core.Failed || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := append([]byte("ARROW1\x00\x00"), good...)
	if err := ReadRecords(bytes.NewReader(file), 1<<20, nil); err == nil || !strings.Contains(core.AsError(err).Remedy, "not the file format") {
		t.Errorf("a file instead of a stream: %v", err)
	}
}

// FuzzReadRecords changes bytes of batches, whose every value is then read.
func FuzzReadRecords(f *testing.F) {
	good := stream(f, []string{"a", "bb"}, []string{"ccc"})
	schemaEnds := bytes.Index(good[8:], []byte{0xff, 0xff, 0xff, 0xff}) + 8
	f.Add(uint(0), byte(1), uint(9), byte(7))
	f.Fuzz(func(t *testing.T, at uint, x byte, at2 uint, y byte) {
		// Corrupt schemas may exhaust memory (see ReadRecords): they stay whole.
		in := bytes.Clone(good)
		tail := in[schemaEnds:]
		tail[at%uint(len(tail))] ^= x
		tail[at2%uint(len(tail))] ^= y
		_ = ReadRecords(bytes.NewReader(in), 1<<20, func(k, v arrow.Array) error {
			for i := range k.Len() {
				_ = k.ValueStr(i)
				if v != nil {
					_ = v.ValueStr(i)
				}
			}
			return nil
		})
	})
}

func TestEnvironIsHadoops(t *testing.T) {
	env := Environ(Place{Job: "wc", Epoch: 2, Map: true, Task: 7, Try: 1, Reduce: 4, InputFile: "file:///a", InputStart: 5, Scratch: "/s"},
		map[string]string{"LANG": "C", "X": "y"})
	for _, want := range []string{
		"mapreduce_task_attempt_id=attempt_wc_0002_m_000007_1", "mapred_task_id=attempt_wc_0002_m_000007_1",
		"mapreduce_task_partition=7", "map_input_file=file:///a", "mapreduce_map_input_start=5", "mapred_reduce_tasks=4",
		"LANG=C", "X=y", "CAPSTAN_TASK=map-00007",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	if !slices.IsSorted(env) {
		t.Error("the environment is not sorted")
	}
}

func BenchmarkPipe(b *testing.B) {
	block := bytes.Repeat([]byte("some words of a line of text\n"), (1<<20)/29)
	p, err := Start(b.Context(), Command{Argv: []string{"cat"}, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		b.Fatal(err)
	}
	lines := make(chan int)
	go func() {
		n := 0
		_ = ReadLines(p, 1<<20, func(l []byte) error { n += bytes.Count(l, []byte{'\n'}); return nil })
		lines <- n
	}()
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		if _, err := p.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	p.CloseInput()
	if <-lines == 0 {
		b.Fatal("nothing came back")
	}
	if err := p.Wait(); err != nil {
		b.Fatal(err)
	}
}
