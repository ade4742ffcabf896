package executors

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record writes what the process launcher leaves of an executor.
func record(t *testing.T, state, id, rest string) {
	t.Helper()
	dir := filepath.Join(state, "launch", "executors", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state.json"), fmt.Appendf(nil, `{"id":%q,%s}`, id, rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOfProcesses(t *testing.T) {
	state := t.TempDir()
	granted := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) string { return `"started":"` + granted.Add(d).Format(time.RFC3339Nano) + `"` }
	record(t, state, "b", `"labels":{"job":"mine"},"process":{"pid":12},`+at(time.Second))
	record(t, state, "a", `"labels":{"job":"mine"},"process":{"pid":11},`+at(time.Second))
	record(t, state, "c", `"labels":{"job":"mine"},"process":{"pid":13},"exit":{"code":1},`+at(time.Second))
	record(t, state, "d", `"labels":{"job":"other"},"process":{"pid":14},`+at(-time.Second))
	record(t, state, "w1", `"labels":{"warm":"true"},"process":{"pid":15},`+at(-time.Second))
	record(t, state, "w2", `"labels":{"warm":"true"},"process":{"pid":16},`+at(time.Second)) // the next gang's
	record(t, state, "x", `"labels":{"job":"mine"},`+at(time.Second))                        // not a process yet
	list, err := Of(t.Context(), state, "process", "mine", granted)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, e := range list {
		got = append(got, e.PID)
	}
	if diff := cmp.Diff([]int{11, 12, 15}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOfRefusesARecordItCannotRead(t *testing.T) {
	state := t.TempDir()
	record(t, state, "a", `"process":{"pid":"eleven"}`)
	if list, err := Of(t.Context(), state, "process", "mine", time.Now()); err == nil {
		t.Errorf("found %v", list)
	}
}
