package scenarios

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// wrong is a job that cannot succeed, and what a person is told.
type wrong struct {
	name string
	doc  string          // with %IN% for its input folder; "" for the usual job
	make func(in string) // fills the input folder; nil: one good file
	only func(*lab) bool // nil: with every launcher
	code int
	says []string // on stderr; %IN% as above
}

// usual is a job whose parts a case replaces.
const usual = `apiVersion: capstan/v1
kind: MapReduce
metadata: {name: wrong}
gang: {size: 2, cpu: 500m, memory: 256Mi}
spec:
  input: {path: "file://%IN%/*"}
  map: {use: words}
  combine: {use: sum}
  reduce: {use: sum}
  tasks: {attempts: 1}
  output: {path: "s3://results/wrong"}
`

func with(old, new string) string {
	if !strings.Contains(usual, old) {
		panic("no " + old)
	}
	return strings.Replace(usual, old, new, 1)
}

// script is the usual job with a shell command as its mapper.
func script(command string) string {
	quoted, _ := json.Marshal(command)
	return strings.Replace(with("map: {use: words}", "map: {exec: [sh, -c, "+string(quoted)+"]}"), "  combine: {use: sum}\n", "", 1)
}

func put(in, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(in, name), data, 0o644); err != nil {
		panic(err)
	}
}

const good = "to be or not to be\n"

func cutGzip(in string) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for i := range 20000 {
		fmt.Fprintf(z, "line %d of a file that is cut\n", i)
	}
	z.Close()
	put(in, "a.txt", []byte(good))
	put(in, "b.txt.gz", b.Bytes()[:b.Len()/2])
	put(in, "c.txt", []byte(good))
}

func longLine(in string) {
	put(in, "a.txt", []byte(good))
	put(in, "b.txt", append(append([]byte(good), bytes.Repeat([]byte("x"), 100<<20)...), "\nlast\n"...))
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b.String()
}

var wrongs = []wrong{
	{name: "unknown field", doc: with("  map:", "  mpa: {use: words}\n  map:"), code: 2,
		says: []string{"line 7", "spec.mpa", `"mpa"`, "did you mean"}},
	{name: "wrong type", doc: with("size: 2", "size: four"), code: 2, says: []string{"line 4", "gang.size"}},
	{name: "all faults at once", doc: strings.Replace(with("size: 2", "size: four"), "tasks:", "taks:", 1), code: 2, says: []string{"gang.size", "spec.taks"}},
	{name: "yaml bomb", doc: bomb(), code: 2, says: []string{"alias"}},
	{name: "large spec", doc: usual + "# " + strings.Repeat("x", 2<<20), code: 2, says: []string{"1048576", "fix:"}},
	{name: "missing input", doc: with("%IN%/*", "%IN%/none/*.txt"), code: 4, says: []string{"spec.input.path", "%IN%/none", "fix:"}},
	{name: "unreadable file", code: 1, says: []string{"%IN%/b.txt", "permission denied", "fix:"},
		only: func(l *lab) bool { return l.launcher == "docker" || os.Geteuid() != 0 }, // nothing is unreadable for root
		make: func(in string) {
			put(in, "a.txt", []byte(good))
			put(in, "b.txt", []byte(good))
			put(in, "c.txt", []byte(good))
			os.Chmod(filepath.Join(in, "b.txt"), 0)
		}},
	{name: "cut gzip", make: cutGzip, code: 1, says: []string{"%IN%/b.txt.gz", "at byte", "fix:"}},
	{name: "invalid utf-8", make: func(in string) { put(in, "a.txt", []byte(good+"caf\xe9\n"+good)) }, code: 1,
		says: []string{"%IN%/a.txt at byte 19", "UTF-8", "deadLetter"}},
	{name: "line of 100 MB", make: longLine, code: 1, says: []string{"%IN%/b.txt at byte 19", "16Mi", "deadLetter"}},
	{name: "mapper exits 3", doc: script("echo it is broken >&2; exit 3"), code: 1, says: []string{"status 3", "map", "it is broken", "fix:"}},
	{name: "mapper not found", doc: strings.Replace(script("x"), `[sh, -c, "x"]`, "[no-such-program]", 1), code: 2, says: []string{"no-such-program", "fix:"}},
	{name: "mapper hangs", doc: strings.Replace(script("echo waiting >&2; exec sleep 1000"), "attempts: 1", "attempts: 1, timeout: 1s", 1), code: 1,
		says: []string{"1s", "map", "fix:"}},
	{name: "gang too large", doc: with("size: 2, cpu: 500m", "size: 100, cpu: 1"), code: 5, says: []string{"100", "would fit", "fix:"}},
	{name: "executor too large", doc: with("memory: 256Mi", "memory: 900Ti"), code: 5, says: []string{"memory", "fix:"}},
	{name: "walltime over", doc: strings.Replace(script("exec sleep 1000"), "name: wrong}", "name: wrong, walltime: 2s}", 1), code: 8, says: []string{"walltime of 2s", "fix:"}},
}

// TestBadInput holds what people are told, and that nothing is left of the jobs.
func TestBadInput(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		for i, w := range wrongs {
			if w.only != nil && !w.only(l) {
				continue
			}
			t.Run(w.name, func(t *testing.T) { l.told(t, i, w) })
		}
		if r := l.do("store", "ls", "s3://results/"); r.out != "" {
			t.Errorf("jobs that failed left results: %s", r)
		}
	})
}

func (l *lab) told(t *testing.T, i int, w wrong) {
	in := filepath.Join(l.in(), fmt.Sprint(i))
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	if w.make == nil {
		put(in, "a.txt", []byte(good))
	} else {
		w.make(in)
	}
	defer os.RemoveAll(in)
	doc := w.doc
	if doc == "" {
		doc = usual
	}
	place := strings.NewReplacer("%IN%", in)
	r := l.do("run", l.write(fmt.Sprintf("wrong-%d.yaml", i), place.Replace(doc)))
	if r.code != w.code {
		t.Errorf("exit code %d, not %d", r.code, w.code)
	}
	for _, s := range w.says {
		if !strings.Contains(r.err, place.Replace(s)) {
			t.Errorf("nothing is said of %q", place.Replace(s))
		}
	}
	if t.Failed() {
		t.Log(short(r.String()))
	}
}

func short(s string) string { return s[:min(len(s), 4000)] }

// TestOutputExists refuses to write over a result, and leaves it as it was.
func TestOutputExists(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		put(l.in(), "a.txt", []byte(good))
		for _, out := range []string{"s3://results/wrong", "file://" + filepath.Join(l.dir, "out")} {
			doc := l.write("job.yaml", strings.NewReplacer("%IN%", l.in(), "s3://results/wrong", out).Replace(usual))
			l.ok("run", "-q", doc)
			r := l.do("run", doc)
			if r.code != core.Conflict.ExitCode() || !strings.Contains(r.err, out) || !strings.Contains(r.err, "ifExists") {
				t.Errorf("an output that exists: %s", r)
			}
			l.check(corpus{"to": 2, "be": 2, "or": 1, "not": 1}, out)
			doc = l.write("job.yaml", strings.NewReplacer("%IN%", l.in(), `"s3://results/wrong"`, `"`+out+`", ifExists: replace`).Replace(usual))
			l.ok("run", "-q", doc)
			l.check(corpus{"to": 2, "be": 2, "or": 1, "not": 1}, out)
		}
	})
}

// TestFlood runs a mapper that says more than anybody reads.
func TestFlood(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		put(l.in(), "a.txt", []byte(good))
		doc := script(`yes "a flood" | head -n 1000000 >&2; tr ' ' '\n'`)
		doc = strings.Replace(doc, "reduce: {use: sum}", "reduce: {use: count}", 1)
		l.ok("run", "-q", l.write("flood.yaml", strings.ReplaceAll(doc, "%IN%", l.in())), "--id", "flood")
		l.check(corpus{"to": 2, "be": 2, "or": 1, "not": 1}, "s3://results/wrong")
		log := l.ok("logs", "flood")
		if n := strings.Count(log, "a flood"); n == 0 || n > 10000 {
			t.Errorf("%d lines of the flood were kept", n)
		}
		if !strings.Contains(log, "lines of stderr were not kept") {
			t.Errorf("the log does not say that lines are missing")
		}
	})
}

// TestDeadLetters sets bad records aside: each record is counted once, in the
// answer or in the dead letters.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		want, records, bad := corpus{}, 0, 0
		for f := range 3 {
			var b bytes.Buffer
			for i := range 5000 {
				switch {
				case i%100 == 7*f:
					fmt.Fprintf(&b, "bad \xff\xfe %d\n", i)
					bad++
				case i == 2500:
					b.Write(append(bytes.Repeat([]byte("y"), 200<<10), '\n'))
					bad++
				default:
					w := fmt.Sprintf("w%d", i%50)
					want[w]++
					records++
					fmt.Fprintln(&b, w)
				}
			}
			put(l.in(), fmt.Sprintf("%d.txt", f), b.Bytes())
		}
		doc := strings.ReplaceAll(with(`%IN%/*"`, `%IN%/*", maxRecord: 64Ki, splitSize: 64Ki`), "%IN%", l.in()) + "  onBadRecord: deadLetter\n"
		out := l.ok("run", "-q", "-o", "json", l.write("dead.yaml", doc))
		var j core.Job
		if err := json.Unmarshal([]byte(out), &j); err != nil {
			t.Fatal(err)
		}
		if r := j.Outcome.Report; r.DeadLetters != int64(bad) || r.RecordsIn != int64(records) && r.RecordsIn != int64(records+bad) {
			t.Errorf("%d dead letters and %d records, not %d and %d", r.DeadLetters, r.RecordsIn, bad, records)
		}
		l.check(want, "s3://results/wrong")
		if n := l.deadLetters(); n != bad {
			t.Errorf("%d dead letters are kept, not %d", n, bad)
		}
	})
}

// deadLetters counts the dead letters with file, offset and reason.
func (l *lab) deadLetters() int {
	l.t.Helper()
	n := 0
	for line := range strings.Lines(l.ok("store", "ls", "s3://results/wrong/_dead/")) {
		f := strings.Fields(line)
		dec := json.NewDecoder(strings.NewReader(l.ok("store", "get", f[len(f)-1])))
		for dec.More() {
			var d map[string]any
			if err := dec.Decode(&d); err != nil {
				l.t.Fatal(err)
			}
			if d["file"] == nil || d["offset"] == nil || d["reason"] == nil {
				l.t.Errorf("dead letter without its place: %v", d)
			}
			n++
		}
	}
	return n
}

// TestWrongToken is refused, and told what to do.
func TestWrongToken(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	for _, args := range [][]string{{"list"}, {"logs", "-f", "x"}, {"cancel", "x"}} {
		r := l.doEnv([]string{"CAPSTAN_TOKEN=" + strings.Repeat("0", 64)}, args...)
		if r.code != core.Denied.ExitCode() || !strings.Contains(r.err, "token") || !strings.Contains(r.err, "fix:") {
			t.Errorf("capstan %s: %s", strings.Join(args, " "), r)
		}
	}
}

// TestNoSuchThing answers with the codes of what is not there.
func TestNoSuchThing(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	for _, args := range [][]string{{"status", "none"}, {"wait", "none"}, {"logs", "none"}, {"cancel", "none"}, {"schema", "None"}} {
		if r := l.do(args...); r.code != core.NotFound.ExitCode() {
			t.Errorf("capstan %s: %s", strings.Join(args, " "), r)
		}
	}
	lost := bare(t, "process")
	if r := lost.do("list"); r.code != core.HostLost.ExitCode() || !strings.Contains(r.err, "capstan up") {
		t.Errorf("without a host: %s", r)
	}
	if _, err := os.Stat(lost.state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking for a host made a state directory (%v)", err)
	}
}
