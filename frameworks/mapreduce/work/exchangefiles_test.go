package work

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// TestDurabilityDoesNotShow: wherever map output lies, whether there is room in
// memory for all of it, some or none, and whether its files are lost once it is
// in the store, the answer is the same.
func TestDurabilityDoesNotShow(t *testing.T) {
	const maps = 5
	for name, c := range reduceJobs() {
		for _, budget := range []int{0, 4 << 10} {
			plain := trial{body: c.body, functions: listing(), text: pairsText(3000, 200), splits: maps, parts: 3, budget: budget}
			want := plain.run(t)
			if want.onDisk != maps || want.inMemory != 0 {
				t.Fatalf("%s: %d files on disk and %d in memory", name, want.onDisk, want.inMemory)
			}
			for _, o := range []struct {
				trial
				most int // files in memory
			}{
				{trial{durability: "memory"}, maps},
				{trial{durability: "memory", shm: 20 << 10}, maps - 1},
				{trial{durability: "memory", shm: 1}, 0},
				{trial{durability: "memory", merged: c.join}, maps},
				{trial{durability: "s3-sync", lost: true}, 0},
				{trial{durability: "s3-async", lost: true}, 0},
				{trial{durability: "s3-async"}, 0},
			} {
				if o.durability == "memory" && strings.Contains(c.body, "compression") {
					continue // the spec's check refuses it
				}
				tr := plain
				tr.durability, tr.shm, tr.lost, tr.merged = o.durability, o.shm, o.lost, o.merged
				at := fmt.Sprintf("%s, budget %d, %s, shm %d, lost %v", name, budget, o.durability, o.shm, o.lost)
				got := tr.run(t)
				show := shown
				if tr.merged {
					show = func(r result) []any { return []any{r.parts} }
				}
				if d := cmp.Diff(show(want), show(got)); d != "" {
					t.Errorf("%s (-want +got):\n%s", at, d)
				}
				far := int64(0)
				for _, d := range got.done {
					far += d.ReadFrom[shuffle.RungStore]
				}
				if (far > 0) != o.lost {
					t.Errorf("%s: %d bytes from the store", at, far)
				}
				if got.inMemory > o.most || got.inMemory+got.onDisk != maps {
					t.Errorf("%s: %d files in memory and %d on disk", at, got.inMemory, got.onDisk)
				}
				if budget == 0 && o.durability == "memory" && o.shm == 0 && got.inMemory != maps {
					t.Errorf("%s: %d files in memory of %d, with room for all", at, got.inMemory, maps)
				}
			}
		}
	}
}

// A try that fails after its exchange file was made takes it back, from memory
// too: here its dead letters find no store.
func TestFailedTryTakesItsFileBack(t *testing.T) {
	body := strings.Replace(wordCount, `"output"`, `"onBadRecord":"deadLetter","output"`, 1)
	for _, durability := range []string{"memory", "disk"} {
		w, st, splits := trial{body: body, text: "a b\n\xff\n", durability: durability}.worker(t)
		st.full = true
		_, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Map}, Split: splits[0], Partitions: 2}, nil)
		if failed == nil || !strings.Contains(failed.Err.Error(), "no room") {
			t.Fatalf("%s: failed %+v", durability, failed)
		}
		if n := filesIn(t, w.env.Shared) + filesIn(t, w.env.Shm); n != 0 {
			t.Errorf("%s: %d files are left of a try that failed", durability, n)
		}
		checkEmpty(t, w)
	}
}

// An executor whose shared memory is gone, or that has none, does with the disk.
func TestNoSharedMemory(t *testing.T) {
	tr := trial{body: wordCount, text: "a b\n", durability: "memory"}
	w, _, _ := tr.worker(t)
	env := *w.env
	env.Shm = ""
	none, err := NewWith(&env, w.plan.body, Registry{}, w.store)
	if err != nil {
		t.Fatal(err)
	}
	if none.files.memory != nil {
		t.Error("it keeps files in no folder")
	}
	if err := none.Close(); err != nil {
		t.Fatal(err)
	}
	env.Shm = w.env.Shm + "/missing"
	if _, err := NewWith(&env, w.plan.body, Registry{}, w.store); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
}
