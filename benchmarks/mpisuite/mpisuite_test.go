package mpisuite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadList(t *testing.T) {
	const list = `# a comment
bcast 10 arg=-v arg=2 env=A=1 timeLimit=600 mem=4
below
fatal
io/abort 4 resultTest=TestStatus xfail=ticket7  # why
!../util:all
`
	cases, dirs, err := readList(strings.NewReader(list), "coll", func(s string) bool { return s == "below" })
	want := []Case{
		{Dir: "coll", Argv: []string{"./bcast", "-v", "2"}, Ranks: 10, Env: []string{"A=1"}, Limit: 10 * time.Minute},
		{Dir: "coll", Argv: []string{"./fatal"}, Ranks: 2},
		{Dir: "coll/io", Argv: []string{"./abort"}, Ranks: 4, Wants: TestStatus, Known: "ticket7"},
	}
	if diff := cmp.Diff(want, cases); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if diff := cmp.Diff([]string{"below"}, dirs); diff != "" {
		t.Error(diff)
	}
	if key := cases[0].Key(); key != "coll/bcast 10 -v 2 A=1" {
		t.Errorf("key %q", key)
	}
	for _, bad := range []string{"a none", "a 0", "a 2 timeLimit=x"} {
		if _, _, err := readList(strings.NewReader(bad), "d", func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		wants  Want
		output string
		code   int
		fault  string
	}{
		{NoErrors, " No Errors\n", 0, ""},
		{NoErrors, "No errors\nFORTRAN STOP\n\n", 0, ""},
		{NoErrors, " No Errors\n", 3, "ended with 3"},
		{NoErrors, "", 0, "did not say No Errors"},
		{NoErrors, "Found 2 errors\n No Errors\n", 0, `said "Found 2 errors"`},
		{TestStatus, "whatever", 1, ""},
		{TestErrFatal, "whatever", 0, "ended with 0, and must not"},
		{TestStatusNoErrors, "No Errors", 0, "ended with 0, and must not"},
		{TestStatusNoErrors, "No Errors", 1, ""},
		{TestsOK, "Ran 60 tests in 0.5s\n\nOK (skipped=12)\nOK\n", 0, ""},
		{TestsOK, "OK\nERROR: testSend (test_p2p)\nFAILED (errors=1)\n", 1, "ERROR: testSend (test_p2p)"},
		{TestsOK, "OK\n", 1, "ended with 1"},
		{TestsOK, "Ran 0 tests in 0.000s\n\nOK\n", 0, "ran no test"},
		{TestsOK, "", 0, "no rank said OK"},
	} {
		if got := c.wants.judge(c.output, c.code); got != c.fault {
			t.Errorf("%q of %q with %d: %q, want %q", c.wants, c.output, c.code, got, c.fault)
		}
	}
}

// staged is a launcher that plays a part.
type staged struct {
	name string
	play func(ctx context.Context, c *Case) (string, int, error)
	ran  *[]string
}

func (s staged) Name() string { return s.name }

func (s staged) Launch(ctx context.Context, _ string, c *Case) (string, int, error) {
	*s.ran = append(*s.ran, s.name+" "+c.Key())
	return s.play(ctx, c)
}

// Laws S1 to S3: both run each case, what ran is not run again, late is not failed.
func TestSuite(t *testing.T) {
	dir := t.TempDir()
	var ran []string
	fine := func(context.Context, *Case) (string, int, error) { return "No Errors\n", 0, nil }
	odd := func(ctx context.Context, c *Case) (string, int, error) {
		switch c.Argv[0] {
		case "spin":
			<-ctx.Done()
			return "half", -1, context.Cause(ctx)
		case "crash":
			return "rank 1 died", 139, nil
		case "gone":
			return "", -1, errors.New("no such file")
		}
		return fine(ctx, c)
	}
	list := []Case{{Dir: "a", Argv: []string{"fine"}, Ranks: 2}, {Dir: "a", Argv: []string{"crash"}, Ranks: 2}, {Dir: "b", Argv: []string{"gone"}, Ranks: 1},
		{Dir: "b", Argv: []string{"spin"}, Ranks: 4, Limit: time.Millisecond}, {Dir: "b", Argv: []string{"./none"}, Ranks: 1}}
	path := filepath.Join(dir, "record.jsonl")
	for range 2 { // the second time there is nothing to do
		rec, err := openRecord(path)
		if err != nil {
			t.Fatal(err)
		}
		s := suite{root: dir, launchers: []Launcher{staged{"theirs", fine, &ran}, staged{"ours", odd, &ran}}, limit: time.Minute, record: rec, log: t.Output()}
		if err := s.run(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if len(ran) != 8 || ran[0] != "theirs a/fine 2" || ran[1] != "ours a/fine 2" {
		t.Errorf("ran %q", ran)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"case":"cut sh`)
	f.Close()
	rec, err := openRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := rec.write(&table, "theirs", "ours"); err != nil {
		t.Fatal(err)
	}
	want := `  directory  cases  both  only theirs  only ours  neither
          a      2     1            1          0        0
          b      3     0            2          0        1
        all      5     1            3          0        1
* only theirs: a/crash 2
    theirs: passed
    ours: failed, said "rank 1 died"
* only theirs: b/gone 1
    theirs: passed
    ours: failed, no such file
* only theirs: b/spin 4
    theirs: passed
    ours: late, not finished in 1ms
neither: b/none 1
    theirs: unbuilt, it could not be built: see capstan.log in DIR/b
    ours: unbuilt, it could not be built: see capstan.log in DIR/b
`
	if diff := cmp.Diff(want, strings.ReplaceAll(table.String(), dir, "DIR")); diff != "" {
		t.Error(diff)
	}
}

func TestProgram(t *testing.T) {
	p := &Program{Called: "shell", Argv: []string{"sh", "-c", `printf '%s ' "$@"; echo err >&2; exit 7`, "sh"}}
	out, code, err := p.Launch(t.Context(), t.TempDir(), &Case{Argv: []string{"prog", "arg"}, Ranks: 3, Env: []string{"X=1"}})
	if out != "-n 3 prog arg err\n" || code != 7 || err != nil {
		t.Errorf("%q, %d, %v", out, code, err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errLate)
	defer cancel()
	p = &Program{Called: "cat", Argv: []string{"sh", "-c", "exec cat /dev/zero >/dev/null"}}
	if _, _, err := p.Launch(ctx, t.TempDir(), &Case{Argv: []string{"x"}, Ranks: 1}); !errors.Is(err, errLate) {
		t.Errorf("out of time: %v", err)
	}
}
