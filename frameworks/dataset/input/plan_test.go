package input

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Splits tile the files, and none is larger than asked.
func TestPlanTiles(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		o := PlanOptions{SplitSize: rapid.Int64Range(1, 3000).Draw(rt, "size"), MinTasks: rapid.IntRange(0, 9).Draw(rt, "tasks")}
		var files []File
		for i := range rapid.IntRange(0, 6).Draw(rt, "files") {
			content := bytes.Repeat([]byte("text\n"), rapid.IntRange(0, 2000).Draw(rt, "lines"))
			name := rapid.SampledFrom([]string{"%d.txt", "%d.gz"}).Draw(rt, "name")
			files = append(files, writeFile(t, dir, fmt.Sprintf(name, i), content))
		}
		splits, err := Plan(context.Background(), files, o)
		if err != nil {
			rt.Fatal(err)
		}
		next := map[string]int64{}
		for _, s := range splits {
			var sum int64
			for _, r := range s.Ranges {
				if next[r.URL] != r.Offset {
					rt.Fatalf("%s: a range begins at %d, not %d", r.URL, r.Offset, next[r.URL])
				}
				next[r.URL] += r.Length
				sum += r.Length
				if r.Codec == "gzip" && r.Length != r.Size {
					rt.Fatalf("%s is cut", r.URL)
				}
			}
			if sum != s.Bytes || len(s.Ranges) == 0 {
				rt.Fatalf("split %+v", s)
			}
			if len(s.Ranges) > 1 && sum > o.SplitSize+openCost || len(s.Ranges) == 1 && s.Ranges[0].Codec == "" && sum > o.SplitSize {
				rt.Fatalf("split of %d bytes", sum)
			}
		}
		for _, f := range files {
			if next[f.URL] != f.Size {
				rt.Fatalf("%s: %d of %d bytes", f.URL, next[f.URL], f.Size)
			}
		}
	})
}

func TestPlanKeepsCoresBusy(t *testing.T) {
	dir := t.TempDir()
	big := writeFile(t, dir, "big.txt", bytes.Repeat([]byte("text\n"), 6<<20/5))
	for _, c := range []struct{ tasks, want int }{{0, 1}, {3, 3}, {6, 6}, {60, 6}} {
		splits, err := Plan(context.Background(), []File{big}, PlanOptions{MinTasks: c.tasks})
		if err != nil || len(splits) < c.want || len(splits) > c.want+1 {
			t.Errorf("%d tasks wanted: %d splits, %v", c.tasks, len(splits), err)
		}
	}
}

func TestPlanPacksSmallFiles(t *testing.T) {
	var files []File
	for i := range 10000 {
		files = append(files, File{URL: fmt.Sprintf("file:///src/%05d.go", i), Size: 9 << 10})
	}
	splits, err := Plan(context.Background(), files, PlanOptions{MinTasks: 6})
	if err != nil || len(splits) < 6 || len(splits) > 8 {
		t.Fatalf("%d splits, %v", len(splits), err)
	}
}

// A compressed file whose name does not say so is not cut.
func TestPlanSniffs(t *testing.T) {
	f := writeFile(t, t.TempDir(), "log", gzipped(t, bytes.Repeat([]byte("abc123\n"), 5000)))
	splits, err := Plan(context.Background(), []File{f}, PlanOptions{SplitSize: 20})
	if err != nil || len(splits) != 1 {
		t.Fatalf("%+v, %v", splits, err)
	}
	if good, bad := readSplit(t, splits[0], Options{}); len(good) != 5000 || len(bad) != 0 {
		t.Fatalf("%d lines, %d bad", len(good), len(bad))
	}
}
