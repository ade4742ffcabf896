package process

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestParseStat(t *testing.T) {
	for _, command := range []string{"init", "a b", "a) R 1 2 3 (b", ")", "(("} {
		line := "42 (" + command + ") S 1 42 41 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8675309 1 2 3 4\n"
		s, err := parseStat(line)
		if err != nil || s != (stat{state: 'S', session: 41, start: 8675309}) {
			t.Errorf("%q: %+v, %v", command, s, err)
		}
	}
	own, err := readStat(os.Getpid())
	if err != nil || own.start == 0 || own.state != 'R' && own.state != 'S' {
		t.Errorf("this process: %+v, %v", own, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (init) S 0 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1 1")
	f.Add("")
	f.Add(")")
	f.Add("1 (x) S 1")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := parseStat(line)
		if err != nil {
			return
		}
		if s.state == ' ' || !strings.Contains(line, string(s.state)) {
			t.Errorf("state %q out of %q", s.state, line)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"id":"a","process":{"pid":7,"start":9,"boot":"b"},"started":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"id":"a","exit":{"Code":3}}`))
	f.Add([]byte(`{"id":"a","process":{"pid":-1}}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b, "a")
		if err != nil {
			return
		}
		// A signal to pid 0, 1 or below would hit more than an executor.
		if r.ID != "a" || r.Process.PID < 0 || r.Process.PID == 1 {
			t.Errorf("%q is taken for a record: %+v", b, r)
		}
	})
}

// Trimming gives the blocks back, keeps the tail, and appending goes on.
func TestTrim(t *testing.T) {
	path := t.TempDir() + "/output"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Repeat("x", 4<<20) + "the end\n"); err != nil {
		t.Fatal(err)
	}
	if err := trimFile(path); err != nil {
		t.Fatal(err)
	}
	if blocks := blocksOf(t, path); blocks*512 > 2*keepBytes {
		t.Errorf("%d blocks are left", blocks)
	}
	if _, err := f.WriteString("more\n"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(b), "the end\nmore\n") {
		t.Errorf("ends in %q, %v", b[max(0, len(b)-20):], err)
	}
	small := t.TempDir() + "/small"
	if err := os.WriteFile(small, []byte("all of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trimFile(small); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(small); err != nil || string(b) != "all of it" {
		t.Errorf("a small file was cut: %q, %v", b, err)
	}
}

func blocksOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return blocks(info)
}

func blocks(info os.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks }
