package binary

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInterpreter(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		write("#!/usr/bin/env python3\nx"): "/usr/bin/env",
		write("#! /bin/sh -e\n"):           "/bin/sh",
		write("#!"):                        "",
		write("text"):                      "",
		write(""):                          "",
		"/nowhere":                         "",
	} {
		if got := Interpreter(path); got != want {
			t.Errorf("Interpreter(%s) = %q, want %q", path, got, want)
		}
	}
	// Whatever this test is linked as, the machine's own shell is dynamic.
	if got := Interpreter("/bin/sh"); !strings.Contains(got, "ld") {
		t.Errorf("the shell needs %q", got)
	}
}

// Whatever stands in a file, finding its interpreter ends, and costs little.
func FuzzInterpreter(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"))
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	if sh, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(sh[:min(len(sh), 4096)])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if got := interpreter(bytes.NewReader(file)); len(got) > longestName {
			t.Errorf("a name of %d bytes", len(got))
		}
	})
}
