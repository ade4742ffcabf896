package mpisuite

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Case is one run of a program.
type Case struct {
	Dir   string // where it lies and runs, relative to the suite
	Argv  []string
	Ranks int
	Env   []string // K=V, beside the launcher's own
	Limit time.Duration
	Wants Want
	Known string // why its authors expect it to fail; "": they do not
}

// Want is what a case that passes does.
type Want string

// The ways to pass, by their names in a testlist.
const (
	NoErrors           Want = ""                   // says only "No Errors", and ends with 0
	TestStatus         Want = "TestStatus"         // ends with another code than 0
	TestErrFatal       Want = "TestErrFatal"       // the same
	TestStatusNoErrors Want = "TestStatusNoErrors" // says only "No Errors", and ends with another code than 0
)

// ranksByDefault is what a testlist that names no number of ranks means.
const ranksByDefault = 2

// Key names a case: unlike in another are its ranks, arguments or environment.
func (c *Case) Key() string {
	words := []string{path.Join(c.Dir, path.Base(c.Argv[0])), strconv.Itoa(c.Ranks)}
	words = append(words, c.Argv[1:]...)
	return strings.Join(append(words, c.Env...), " ")
}

// readList reads a testlist of MPICH: the cases of dir, and the directories below
// it that have lists of their own.
//
//	# comment
//	bcasttest 10 arg=-v env=K=V timeLimit=600 resultTest=TestStatus xfail=ticket1
//	subdirectory
func readList(r io.Reader, dir string, isDir func(string) bool) (cases []Case, dirs []string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '!':
		case len(words) == 1 && isDir(words[0]):
			dirs = append(dirs, words[0])
		default:
			c, err := readCase(words, dir)
			if err != nil {
				return nil, nil, fmt.Errorf("testlist of %s: %q: %w", dir, line, err)
			}
			cases = append(cases, c)
		}
	}
	return cases, dirs, lines.Err()
}

func readCase(words []string, dir string) (Case, error) {
	c := Case{Dir: path.Join(dir, path.Dir(words[0])), Argv: []string{"./" + path.Base(words[0])}, Ranks: ranksByDefault}
	if len(words) > 1 {
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 {
			return c, fmt.Errorf("%q is no number of ranks", words[1])
		}
		c.Ranks = n
	}
	for _, w := range words[min(2, len(words)):] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "arg":
			c.Argv = append(c.Argv, value)
		case "env":
			c.Env = append(c.Env, value)
		case "timeLimit":
			n, err := strconv.Atoi(value)
			if err != nil {
				return c, fmt.Errorf("%q is no number of seconds", value)
			}
			c.Limit = time.Duration(n) * time.Second
		case "resultTest":
			c.Wants = Want(value)
		case "xfail":
			c.Known = value
		}
	}
	return c, nil
}

// quiet are lines that a passing program may say beside "No Errors".
var quiet = regexp.MustCompile(`FORTRAN STOP|^\s*Test Passed\s*$|^\s*$`)

// judge is "" if a run passed, or what is wrong with it.
func (w Want) judge(output string, code int) string {
	if w == TestStatus || w == TestErrFatal {
		if code == 0 {
			return "ended with 0, and must not"
		}
		return ""
	}
	fault := said
	if w == TestsOK {
		fault = testsOK
	}
	if fault := fault(output); fault != "" {
		return fault
	}
	switch {
	case w == TestStatusNoErrors && code == 0:
		return "ended with 0, and must not"
	case (w == NoErrors || w == TestsOK) && code != 0:
		return fmt.Sprintf("ended with %d", code)
	}
	return ""
}

// said is what is wrong with an output that should be "No Errors" alone.
func said(output string) string {
	lines := strings.Split(output, "\n")
	isVerdict := func(l string) bool { l = strings.TrimSpace(l); return l == "No Errors" || l == "No errors" }
	for _, l := range lines {
		if !isVerdict(l) && !quiet.MatchString(l) {
			return fmt.Sprintf("said %.120q", strings.TrimSpace(l))
		}
	}
	if !slices.ContainsFunc(lines, isVerdict) {
		return "did not say No Errors"
	}
	return ""
}
