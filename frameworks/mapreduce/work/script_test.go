package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

func scriptJob(mapper, reducer string) string {
	return fmt.Sprintf(`{"input":{"path":"file:///x"},"map":{"exec":["sh","-c",%q]},"reduce":{"exec":["sh","-c",%q]},"output":{"path":"file:///y"}}`, mapper, reducer)
}

const (
	trWords    = `tr -s '[:space:]' '\n' | sed '/^$/d' | sed 's/$/\t1/'`
	awkWords   = `awk '{for(i=1;i<=NF;i++) n[$i]++} END {for(w in n) print w "\t" n[w]}'`
	awkSum     = `awk -F'\t' '{if ($1!=k && NR>1) {print k "\t" n; n=0} k=$1; n+=$2} END {if (NR) print k "\t" n}'`
	pythonMap  = "import sys\nfor line in sys.stdin:\n    for w in line.split(): print('%s\\t1' % w)\n"
	pythonSum  = "import sys\nfrom itertools import groupby\nfor k, g in groupby((l.rstrip('\\n').split('\\t', 1) for l in sys.stdin), key=lambda p: p[0]):\n    print('%s\\t%d' % (k, sum(int(v) for _, v in g)))\n"
	badMapper  = `cat >/dev/null; i=0; while [ $i -lt 30 ]; do echo "word $i" >&2; i=$((i+1)); done; exit 3`
	countsLine = `awk '{n++} END {print "reporter:counter:lines, all,read," n+0 >"/dev/stderr"; print "reporter:status:done" >"/dev/stderr"; print "k\t" n+0}'`
)

func TestScriptsCountWords(t *testing.T) {
	text := someText(20000)
	want := countWords(text)
	for name, job := range map[string]string{
		"tr":  scriptJob(trWords, awkSum),
		"awk": scriptJob(awkWords, awkSum),
	} {
		for _, tr := range []trial{{splits: 1, parts: 1}, {splits: 3, parts: 4}, {splits: 2, parts: 2, budget: 64 << 10}} {
			tr.body, tr.text = job, text
			if got := tr.run(t); sortedLines(got.text) != want {
				t.Errorf("%s: another answer with %d splits", name, tr.splits)
			}
		}
	}
}

func TestScriptsFromFiles(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		if _, err := os.Stat("/usr/local/bin/python3"); err != nil {
			t.Log("no python3 on this machine's usual path: scripts in Python are not tried")
			return
		}
	}
	files := t.TempDir()
	for name, text := range map[string]string{"m.py": pythonMap, "r.py": pythonSum} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := someText(5000)
	tr := trial{splits: 2, parts: 2, text: text, files: files,
		body: `{"input":{"path":"file:///x"},"map":{"exec":["python3","m.py"]},"reduce":{"exec":["python3","r.py"]},"output":{"path":"file:///y"}}`}
	if got := tr.run(t); sortedLines(got.text) != countWords(text) {
		t.Error("another answer")
	}
}

func TestScriptCombiner(t *testing.T) {
	text := someText(20000)
	body := fmt.Sprintf(`{"input":{"path":"file:///x"},"map":{"exec":["sh","-c",%q]},"combine":{"exec":["sh","-c",%q]},"reduce":{"use":"sum"},"output":{"path":"file:///y"}}`, trWords, awkSum)
	for _, budget := range []int{0, 64 << 10} {
		got := trial{body: body, text: text, splits: 2, parts: 3, budget: budget}.run(t)
		if sortedLines(got.text) != countWords(text) {
			t.Errorf("another answer with budget %d", budget)
		}
		if n := got.done[0].Index.Partitions[0].Rows; n > 10000 {
			t.Errorf("%d pairs left the map task: the combiner did not combine", n)
		}
	}
}

// TestScriptCombinerKeepsKeysWhole: a key of several fields comes out of the
// combiner as it went in, so that equal keys of all maps meet in order.
func TestScriptCombinerKeepsKeysWhole(t *testing.T) {
	text := "a\tz\t1\na\tb\t1\na\tz\t1\na\tb\t1\na\tz\t1\na\tb\t1\n"
	for name, mapper := range map[string]string{
		"exec":     `{"exec":["cat"],"keyFields":2}`,
		"identity": `{"use":"identity","with":{"keyFields":"2"}}`,
	} {
		body := `{"input":{"path":"file:///x"},"map":` + mapper + `,"combine":{"exec":["cat"]},"reduce":{"use":"count"},"output":{"path":"file:///y"}}`
		if got := (trial{body: body, text: text, splits: 3}).run(t); got.text != "a\tb\t3\na\tz\t3\n" {
			t.Errorf("%s: %q", name, got.text)
		}
	}
}

func TestScriptCombinerOverNumbersAsKeys(t *testing.T) {
	body, err := spec.Parse([]byte(`{"input":{"path":"file:///x"},"map":{"program":"artifact:x/p","use":"m"},"combine":{"exec":["cat"]},"reduce":{"use":"count"},"output":{"path":"file:///y"}}`))
	if err != nil {
		t.Fatal(err)
	}
	found := Check(body, Registry{Maps: map[string]MapFunc{"m": {Out: Kinds{Int64, Text}}}})
	if len(found) != 1 || found[0].Path != "spec.combine.exec" || found[0].Remedy == "" {
		t.Errorf("found %+v", found)
	}
}

// TestOutputDoesNotDependOnThePreview: lines go to the output as they are only
// if that is how pairs would be written.
func TestOutputDoesNotDependOnThePreview(t *testing.T) {
	for _, more := range []string{"", `,"preview":{"limit":1}`} {
		body := `{"input":{"path":"file:///x"},"map":{"exec":["cat"],"separator":","},"output":{"path":"file:///y"}` + more + `}`
		if got := (trial{body: body, text: "a,1\nb\n"}).run(t); got.text != "a\t1\nb\n" {
			t.Errorf("%s: %q", body, got.text)
		}
	}
}

func TestScriptCounters(t *testing.T) {
	got := trial{body: scriptJob(countsLine, "cat"), text: "a\nb\nc\n", splits: 1}.run(t)
	if got.counters["lines/all,read"] != 3 || got.text != "k\t3\n" {
		t.Errorf("counters %v, output %q", got.counters, got.text)
	}
}

func TestScriptFailure(t *testing.T) {
	_, failed := trial{body: scriptJob(badMapper, "cat"), text: "a\n"}.try(t)
	if failed == nil {
		t.Fatal("the job succeeded")
	}
	e := failed.Err
	if failed.Fatal || !strings.Contains(e.What, "exit status 3") || !strings.HasSuffix(e.Detail, "word 29") ||
		strings.Count(e.Detail, "\n") != 19 {
		t.Errorf("failed with %+v", e)
	}
}

func TestScriptErrors(t *testing.T) {
	for _, c := range []struct{ exec, what string }{
		{`["no-such-command"]`, "not in the executor"},
		{`["./missing.sh"]`, "not in the executor"},
		{`["/etc/passwd"]`, "may not be run"},
	} {
		body := fmt.Sprintf(`{"input":{"path":"file:///x"},"map":{"exec":%s},"output":{"path":"file:///y"}}`, c.exec)
		_, failed := trial{body: body, text: "a\n"}.try(t)
		if failed == nil || !failed.Fatal || failed.Err.Kind != core.Invalid || !strings.Contains(failed.Err.What, c.what) ||
			failed.Err.Where != "spec.map.exec" || failed.Err.Remedy == "" {
			t.Errorf("%s: %+v", c.exec, failed)
		}
	}
}

func TestScriptMayStopReading(t *testing.T) {
	body := `{"input":{"path":"file:///x"},"map":{"exec":["head","-n","2"]},"output":{"path":"file:///y"}}`
	got := trial{body: body, text: strings.Repeat("a line of some length\n", 300000)}.run(t)
	if got.text != "a line of some length\na line of some length\n" {
		t.Errorf("output %.100q", got.text)
	}
}

func TestScriptEnvironment(t *testing.T) {
	body := `{"input":{"path":"file:///x"},"env":{"MINE":"yes"},"map":{"exec":["sh","-c","cat >/dev/null; echo $mapreduce_task_partition $mapred_task_id $mapreduce_map_input_start $MINE ${map_input_file##*/}"]},"output":{"path":"file:///y"}}`
	got := trial{body: body, text: "a\nb\n", splits: 1}.run(t)
	if want := "0 attempt_trial_0001_m_000000_0 0 yes in.txt\n"; got.text != want {
		t.Errorf("got %q, want %q", got.text, want)
	}
}

func TestScriptGetsCleanLineEnds(t *testing.T) {
	body := `{"input":{"path":"file:///x"},"map":{"exec":["cat"]},"output":{"path":"file:///y"}}`
	got := trial{body: body, text: "a\r\nb\nc\r\n"}.run(t)
	if got.text != "a\nb\nc\n" {
		t.Errorf("got %q", got.text)
	}
}

func TestArrowScripts(t *testing.T) {
	// cat is a program that speaks Arrow streams: it gives back what it gets.
	for _, tr := range []trial{
		{body: builtinJob(`{"exec":["cat"],"as":"arrow"}`, `{"use":"count"}`, "")},
		{body: builtinJob(`{"use":"lines"}`, `{"use":"count"}`, "")},
		{body: builtinJob(`{"use":"lines"}`, `{"exec":["cat"],"as":"arrow"}`, `,"combine":{"use":"count"}`)},
	} {
		tr.text, tr.splits, tr.parts = "b\na\nb\n", 2, 1
		if got := tr.run(t); got.text != "a\t1\nb\t2\n" && !(strings.Contains(tr.body, `"reduce":{"exec"`) && sortedLines(got.text) == "a\t1\nb\t1\nb\t1\n") {
			t.Errorf("%s: %q", tr.body, got.text)
		}
	}
	_, failed := trial{body: builtinJob(`{"exec":["echo","no stream"],"as":"arrow"}`, "", ""), text: "a\n"}.try(t)
	if failed == nil || !strings.Contains(failed.Err.What, "not a whole Arrow IPC stream") {
		t.Errorf("text instead of a stream: %+v", failed)
	}
}

func TestScriptPerFile(t *testing.T) {
	body := `{"input":{"path":"file:///x"},"env":{"CAPSTAN_PER_FILE":"1"},"map":{"exec":["sh","-c","echo ${map_input_file##*/} $(wc -l)"]},"output":{"path":"file:///y"}}`
	w, st, splits := trial{body: body, text: "a\nb\n"}.worker(t)
	second := splits[0].Ranges[0]
	path := strings.TrimPrefix(second.URL, "file://") + "2"
	if err := os.WriteFile(path, []byte("c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	second.URL, second.Size, second.Length = "file://"+path, 2, 2
	splits[0].Ranges = append(splits[0].Ranges, second)
	done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Map}, Split: splits[0]}, nil)
	if failed != nil {
		t.Fatal(failed.Err.Error())
	}
	if got := string(st.objects[done.Parts[0].Object]); got != "in.txt 2\nin.txt2 1\n" {
		t.Errorf("got %q", got)
	}
}

func TestSideFilesAndCountersOfAProgram(t *testing.T) {
	functions := Registry{Maps: map[string]MapFunc{"side": {Out: Kinds{Text, Int64}, New: func(c *Context) (Mapper, error) {
		return sideMapper{c: c}, nil
	}}}}
	body := builtinJob(`{"use":"side","program":"./p"}`, `{"use":"sum"}`, "")
	got := trial{body: body, functions: functions, text: "a\nb\n", splits: 1}.run(t)
	if got.side["seen-map-00000"] != "a\nb\n" || got.counters["g/blocks"] != 1 || got.text != "k\t1\n" {
		t.Errorf("side %q, counters %v, text %q", got.side, got.counters, got.text)
	}
}

type sideMapper struct {
	noClose
	c *Context
}

func (m sideMapper) Block(_ context.Context, b input.Block, out Emitter) error {
	m.c.Count("g", "blocks", 1)
	f, err := m.c.SideFile("seen")
	if err != nil {
		return err
	}
	if _, err := f.Write(b.Data); err != nil {
		return err
	}
	if _, err := m.c.SideFile("../x"); err == nil {
		return errors.New("a side file outside")
	}
	return out.EmitInt([]byte("k"), 1)
}
