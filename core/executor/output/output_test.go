package output

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// carry has a program write text to a stream and answers with its lines, its
// bytes and what went wrong with keeping them.
func carry(t *testing.T, keep io.Writer, text string) ([]string, error) {
	t.Helper()
	var lines []string
	s, err := Open(keep, func(l string) { lines = append(lines, l) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s.Program(), text); err != nil {
		t.Fatal(err)
	}
	Drain(s)
	Drain(s)
	return lines, s.Err()
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	for text, want := range map[string][]string{
		"":                   nil,
		"a\nb\r\n\nc":        {"a", "b", "", "c"},
		long + "\nnext\n":    {long[:maxLine], "next"},
		long + "\n" + "last": {long[:maxLine], "last"},
	} {
		var kept bytes.Buffer
		lines, err := carry(t, &kept, text)
		if err != nil || !slices.Equal(lines, want) || kept.String() != text {
			t.Errorf("of %d bytes: %d lines, %d bytes kept, %v", len(text), len(lines), kept.Len(), err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left") }

// TestNotKept: a stream that cannot be kept is read all the same.
func TestNotKept(t *testing.T) {
	lines, err := carry(t, full{}, strings.Repeat("line\n", 20_000)[:60_000])
	if err == nil || len(lines) != 12_000 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

// TestHeldOpen: what another process holds open does not hold up Drain.
func TestHeldOpen(t *testing.T) {
	var lines []string
	s, err := Open(nil, func(l string) { lines = append(lines, l) })
	if err != nil {
		t.Fatal(err)
	}
	other, err := dup(s.Program())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	fmt.Fprintln(other, "said")
	Drain(s)
	if !slices.Equal(lines, []string{"said"}) {
		t.Errorf("lines %q", lines)
	}
}

func TestTail(t *testing.T) {
	var last Tail
	for i := range 100 {
		last.Add(fmt.Sprintf("%d %s", i, strings.Repeat("é", 400)))
	}
	lines := strings.Split(last.String(), "\n")
	if len(lines) != tailLines || !strings.HasPrefix(lines[0], "80 ") || len(lines[0]) > maxTailLine+2 || !strings.HasPrefix(lines[19], "99 ") {
		t.Errorf("%d lines, from %.10q to %.10q", len(lines), lines[0], lines[len(lines)-1])
	}
}
