package bsp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type point struct {
	X, Y float64
	N    [3]uint16
}

type named struct {
	Name string
	At   map[string]int
}

// roundTrip sends a value from each rank to all and compares what comes.
func roundTrip[T any](t *testing.T, v T, size int) {
	t.Helper()
	_, err := Local(context.Background(), Job{Name: "trip", Program: Func(func(ctx context.Context, p *Peer) error {
		if err := Broadcast(p, v); err != nil {
			return err
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		n := 0
		for from, got := range Messages[T](p) {
			if from != n || !reflect.DeepEqual(got, v) {
				return fmt.Errorf("rank %d sent %v, want %v of %d", from, got, v, n)
			}
			n++
		}
		for _, b := range p.Messages() {
			if size >= 0 && len(b) != size {
				return fmt.Errorf("%d bytes, want %d", len(b), size)
			}
		}
		if n != p.Size() {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})})
	if err != nil {
		t.Errorf("%T: %v", v, err)
	}
}

func TestTypedMessages(t *testing.T) {
	roundTrip(t, int64(-5), 8)
	roundTrip(t, math.Pi, 8)
	roundTrip(t, uint8(200), 1)
	roundTrip(t, true, 1)
	roundTrip(t, point{1.5, -2, [3]uint16{1, 2, 3}}, 22)
	roundTrip(t, "a string", 8)
	roundTrip(t, []byte{0, 1, 2}, 3)
	roundTrip(t, 77, -1)
	roundTrip(t, named{"x", map[string]int{"a": 1}}, -1)
	roundTrip(t, []int64{1, 2, 3}, -1)
}

// TestMistyped reads messages as another type: the job ends, and says so.
func TestMistyped(t *testing.T) {
	_, err := Local(context.Background(), Job{Name: "mistyped", Program: Func(func(ctx context.Context, p *Peer) error {
		if err := Send(p, 0, int64(1)); err != nil {
			return err
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		for _, v := range Messages[float32](p) {
			return fmt.Errorf("8 bytes were read as %v", v)
		}
		return p.Sync(ctx)
	})})
	if err == nil || !strings.Contains(err.Error(), "a message of 8 bytes from rank 0 is no float32") || core.AsError(err).Remedy == "" {
		t.Errorf("%v", err)
	}
}

// words counts words: each peer reads its part, and sends each word where it
// is counted.
var words = Job{Name: "words", Program: Func(func(ctx context.Context, p *Peer) error {
	for line, err := range Lines(ctx, p) {
		if err != nil {
			return err
		}
		for _, w := range bytes.Fields(line) {
			h := fnv.New32a()
			_, _ = h.Write(w)
			if err := p.Send(int(h.Sum32())%p.Size(), w); err != nil {
				return err
			}
			p.Count("words", 1)
		}
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	counts := map[string]int{}
	for _, w := range p.Messages() {
		counts[string(w)]++
	}
	for w, n := range counts {
		if err := p.WriteKV([]byte(w), fmt.Append(nil, n)); err != nil {
			return err
		}
	}
	return nil
})}

// TestInput gives one answer whatever the number of peers.
func TestInput(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		text := strings.Repeat(fmt.Sprintf("the word %d\nof a file\n", i), i+1)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, size := range []int{1, 2, 3, 8} {
		job := words
		job.Gang.Size = size
		r, err := Local(context.Background(), job, dir)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(r.Text()), "\n")
		slices.Sort(lines)
		if want == nil {
			want = lines
		}
		if !slices.Equal(lines, want) || r.Counters["words"] != 15*6 || !slices.Contains(lines, "the\t15") || r.Steps != 1 || r.Read != 2*15 {
			t.Errorf("%d peers, %d steps, %d records: %v, %v", size, r.Steps, r.Read, lines, r.Counters)
		}
	}
}

func TestLocalFailure(t *testing.T) {
	sad := errors.New("no")
	for rank := range 3 {
		_, err := Local(context.Background(), Job{Name: "sad", Gang: core.Gang{Size: 3}, Program: Func(func(ctx context.Context, p *Peer) error {
			if p.Rank() == rank {
				return sad
			}
			return p.Sync(ctx)
		})})
		if !errors.Is(err, sad) {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	for _, job := range []Job{{Name: "Bad Name", Program: words.Program}, {Name: "empty"}} {
		if _, err := Local(context.Background(), job); core.KindOf(err) != core.Invalid {
			t.Errorf("%q: %v", job.Name, err)
		}
	}
}

// TestDocument prints the document that would be submitted.
func TestDocument(t *testing.T) {
	var out, errs bytes.Buffer
	d := &driver{stdout: &out, stderr: &errs, now: func() time.Time { return time.Unix(1e9, 0).UTC() }}
	job := words
	job.With = map[string]any{"depth": 3}
	code := d.run(job, []string{"/data/in", "-spec", "-name", "mine", "-size", "5", "-cpu", "2", "-memory", "1Gi", "-every", "4", "-preview", "0"})
	var doc struct {
		Kind     string
		Metadata struct{ Name string }
		Gang     core.Gang
		Spec     struct {
			Input     struct{ Path []string }
			Algorithm struct {
				Use, Program string
				With         map[string]any
			}
			Checkpoint struct{ Every int64 }
			Output     struct{ Path string }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out.String(), errs.String())
	}
	s := doc.Spec
	if doc.Kind != "BSP" || doc.Metadata.Name != "mine" || doc.Gang.Size != 5 || doc.Gang.CPU != 2000 || doc.Gang.Memory != 1<<30 ||
		s.Algorithm.Use != "words" || !filepath.IsAbs(s.Algorithm.Program) || s.Algorithm.With["depth"] != 3.0 || s.Checkpoint.Every != 4 ||
		!slices.Equal(s.Input.Path, []string{"file:///data/in"}) || s.Output.Path != "s3://results/mine-20010909-014640" {
		t.Errorf("%s", out.String())
	}
	if code := d.run(words, []string{"-size", "many"}); code != 2 || !strings.Contains(errs.String(), "-help lists the flags") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
}

// TestRecordsAreCounted counts those that were taken, however reading ended.
func TestRecordsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte("a,b\n"+strings.Repeat("1,2\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	job := Job{Name: "rows", Gang: core.Gang{Size: 2}, Input: dataset.Input{Format: "csv"}, Program: Func(func(ctx context.Context, p *Peer) error {
		for _, err := range Records(ctx, p) {
			if err != nil {
				return err
			}
		}
		return p.Sync(ctx)
	})}
	if r, err := Local(context.Background(), job, path); err != nil || r.Read != 50 {
		t.Errorf("%+v, %v", r, err)
	}
	job = Job{Name: "lines", Gang: core.Gang{Size: 1}, Program: Func(func(ctx context.Context, p *Peer) error {
		for line := range Lines(ctx, p) {
			if string(line) == "1,2" {
				break
			}
		}
		return p.Sync(ctx)
	})}
	if r, err := Local(context.Background(), job, path); err != nil || r.Read != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}
