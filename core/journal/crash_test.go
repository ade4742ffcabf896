package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// writeUntilKilled is the other process of TestKill: it commits from several
// goroutines and prints each number once it is acknowledged.
func writeUntilKilled(path string) {
	j, err := Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	acks := make(chan int64)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := core.JobID(fmt.Sprintf("p%d-w%d-%d", os.Getpid(), w, i))
				tx := Tx{
					Jobs:    []core.Job{{ID: id, State: core.Queued, Submitted: noon}},
					Records: []Record{record(id, "submitted")},
				}
				if err := j.Commit(context.Background(), tx); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				acks <- tx.Records[0].Seq
			}
		}()
	}
	for seq := range acks {
		fmt.Println(seq)
	}
}

// TestKill kills a writing process in the middle (kill -9) and finds all that
// it had acknowledged, whole; then its successor is killed likewise.
func TestKill(t *testing.T) {
	path := newPath(t)
	acked := map[int64]bool{}
	for range 3 {
		killWriter(t, path, acked)
		j := mustOpen(t, path)
		jobs := map[core.JobID]bool{}
		list, err := j.Jobs(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range list {
			jobs[job.ID] = true
		}
		seen := map[int64]bool{}
		for _, r := range replay(t, j) {
			seen[r.Seq] = true
			if !jobs[r.Job] {
				t.Errorf("record %d is there and its job %s is not", r.Seq, r.Job)
			}
		}
		for seq := range acked {
			if !seen[seq] {
				t.Errorf("record %d was acknowledged and is gone", seq)
			}
		}
		if len(seen) != len(jobs) {
			t.Errorf("%d records, %d jobs", len(seen), len(jobs))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killWriter runs the writer until 50 more numbers are acknowledged.
func killWriter(t *testing.T, path string, acked map[int64]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	want := len(acked) + 50
	for len(acked) < want && lines.Scan() {
		var seq int64
		if _, err := fmt.Sscan(lines.Text(), &seq); err != nil {
			t.Fatal(err)
		}
		if acked[seq] {
			t.Fatalf("number %d was given twice", seq)
		}
		acked[seq] = true
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if len(acked) < want {
		t.Fatalf("the writer ended after %d of %d", len(acked), want)
	}
}

func TestOneHostAtATime(t *testing.T) {
	path := newPath(t)
	j := mustOpen(t, path)
	_, err := Open(path)
	e := core.AsError(err)
	if err == nil || e.Kind != core.Conflict || !strings.Contains(e.What, fmt.Sprintf("pid %d", os.Getpid())) || e.Remedy == "" {
		t.Fatalf("a second host: %v", err)
	}
	// The refused one did the holder no harm.
	if err := j.Append(t.Context(), record("a", "k")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

// TestDamage: law J6, for a file that is no journal and for one whose middle
// was overwritten while no host ran.
func TestDamage(t *testing.T) {
	notOne := newPath(t)
	if err := os.WriteFile(notOne, []byte(strings.Repeat("this is not a journal. ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := newPath(t)
	j := mustOpen(t, broken)
	if err := j.Commit(t.Context(), Tx{Records: make([]Record, 5000)}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	size := scribble(t, broken)
	// What a killed host leaves behind: its pid.
	if err := os.WriteFile(broken+".lock", []byte("999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // refused again the second time, and left as it is
		for _, path := range []string{notOne, broken} {
			_, err := Open(path)
			e := core.AsError(err)
			if !errors.Is(err, ErrDamaged) || e.Where != path || e.Remedy == "" {
				t.Errorf("%s: %v, want ErrDamaged", filepath.Base(path), err)
			}
		}
	}
	if st, err := os.Stat(broken); err != nil || st.Size() != size {
		t.Errorf("the damaged file was changed: %v, %v", st, err)
	}
}

// scribble overwrites the middle of a file and returns its size.
func scribble(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("garbage ", 8192)), st.Size()/2); err != nil {
		t.Fatal(err)
	}
	st, err = f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func TestNewerLayout(t *testing.T) {
	path := newPath(t)
	j := mustOpen(t, path)
	if _, err := j.write.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	if core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), "layout 99") {
		t.Fatalf("a newer layout: %v", err)
	}
}

func TestNoSuchDirectory(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "no", "such", "journal.db"))
	if e := core.AsError(err); err == nil || e.Where == "" || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v", err)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	path := newPath(t)
	j := mustOpen(t, path)
	if err := j.Append(t.Context(), record("a", "k")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(path)+suffix, st.Mode())
		}
	}
}

// TestFullDisk fills a small file system, and goes on when there is space.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Logf("cannot mount a small file system (%v): TestFullQuota does what can be done without", err)
		return
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(dir, "journal.db")
	j := mustOpen(t, path)
	defer j.Close() // before the unmount
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	fillUp(t, j, path, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFullQuota is the same with SQLite's own limit in the part of the disk.
func TestFullQuota(t *testing.T) {
	path := newPath(t)
	j, err := open(path, []string{"max_page_count(100)"})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	fillUp(t, j, path, func() {
		if _, err := j.write.Exec("PRAGMA max_page_count = 100000"); err != nil {
			t.Fatal(err)
		}
	})
}

// fillUp appends until the disk is full, checks law J5, makes space and goes on.
func fillUp(t *testing.T, j *Journal, path string, makeSpace func()) {
	t.Helper()
	big := Record{Time: noon, Job: "a", Kind: "big", Text: strings.Repeat("x", 16<<10)}
	written := 0
	var err error
	for written < 1000 {
		if err = j.Append(t.Context(), big); err != nil {
			break
		}
		written++
	}
	e := core.AsError(err)
	if !errors.Is(err, ErrFull) || e.Where != path || !strings.Contains(e.What, "free on the file system") || e.Remedy == "" {
		t.Fatalf("after %d records: %v, want ErrFull", written, err)
	}
	if got := len(replay(t, j)); got != written {
		t.Fatalf("%d records on a full disk, %d were acknowledged", got, written)
	}
	makeSpace()
	if err := j.Append(t.Context(), big); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	got := replay(t, j)
	if len(got) != written+1 || got[written].Seq != int64(written+1) {
		t.Fatalf("%d records, the last numbered %d; want %d", len(got), got[len(got)-1].Seq, written+1)
	}
}
