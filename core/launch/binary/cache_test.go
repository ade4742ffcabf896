package binary_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch/binary"
)

func open(t *testing.T, dir string, now time.Time) *binary.Cache {
	t.Helper()
	c, err := binary.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func path(t *testing.T, c *binary.Cache, source string) string {
	t.Helper()
	p, err := c.Path(source)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p, body string) {
	t.Helper()
	if err := os.WriteFile(p, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Overwriting the source in place does not change the copy made before.
func TestCopyIsNeverChanged(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(t.TempDir(), "program")
	c := open(t, dir, time.Now())
	write(t, source, "one")
	first := path(t, c, source)
	if again := path(t, c, source); again != first {
		t.Errorf("two copies of one program: %s, %s", first, again)
	}
	write(t, source, "second")
	second := path(t, c, source)
	if content(t, first) != "one" || content(t, second) != "second" {
		t.Errorf("copies hold %q and %q", content(t, first), content(t, second))
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	// The same content under another name is the same copy.
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, "one")
	if p := path(t, c, other); p != first {
		t.Errorf("the same content twice: %s, %s", first, p)
	}
}

// A later cache knows the file without reading it, unless the copy was cut
// short or is gone.
func TestReopened(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(t.TempDir(), "program")
	write(t, source, "one")
	first := path(t, open(t, dir, time.Now()), source)
	unreadable := func(t *testing.T) { // by content: same inode, size and time, other bytes
		t.Helper()
		info, err := os.Stat(source)
		if err != nil {
			t.Fatal(err)
		}
		write(t, source, "ONE")
		if err := os.Chtimes(source, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	unreadable(t)
	if p := path(t, open(t, dir, time.Now()), source); p != first {
		t.Error("a known file was read again")
	}
	if err := os.Truncate(first, 1); err != nil {
		t.Fatal(err)
	}
	if p := path(t, open(t, dir, time.Now()), source); content(t, p) != "ONE" {
		t.Errorf("a copy cut short is used: %q", content(t, p))
	}
}

func TestUnusedCopiesGo(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(t.TempDir(), "program")
	write(t, source, "one")
	p := path(t, open(t, dir, time.Now()), source)
	open(t, dir, time.Now().Add(6*24*time.Hour))
	if _, err := os.Stat(p); err != nil {
		t.Errorf("a copy of this week is gone: %v", err)
	}
	open(t, dir, time.Now().Add(8*24*time.Hour))
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left after a week: %v", left)
	}
}

func TestRunningProgram(t *testing.T) {
	p := path(t, open(t, t.TempDir(), time.Now()), "")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(p); err != nil || !bytes.Equal(got, self) {
		t.Errorf("the copy of the running program differs: %v", err)
	}
}

func TestBadSource(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, time.Now())
	for _, source := range []string{"/no/such/program", t.TempDir()} {
		_, err := c.Path(source)
		if e := core.AsError(err); e == nil || !strings.Contains(e.Where, source) || e.Remedy == "" {
			t.Errorf("%s: %v", source, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
