package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// The scripts of a job whose map function never answers twice alike: a task emits
// keys, the same ones for every partition, with a token that this run of it drew.
// A reduce task shows its first key and waits for the file of that name, or for
// one that lets all go.
const (
	drawing = `#!/bin/sh
token=$(od -An -N8 -tx8 /dev/urandom | tr -d ' \n')
exec awk -v token="$token" 'NR == 1 { for (i = 0; i < 64; i++) print "k" i "\t" $1 "=" token }'
`
	showing = `#!/bin/sh
exec awk -F '\t' -v gate="$GATE" '
NR == 1 { print "reducing " $1 > "/dev/stderr"; fflush("/dev/stderr")
          while (system("test -e " gate "/" $1 " -o -e " gate "/all") != 0) system("sleep 0.05") }
{ print }'
`
)

// TestMapThatAnswersDifferently loses a map output after some reduce tasks have
// read it. The map task runs again and gives other rows, so that what was reduced
// runs again, too: every row of the result comes of one run of each map task.
func TestMapThatAnswersDifferently(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		const files, parts = 4, 8
		for f := range files {
			l.write(fmt.Sprintf("in/%d.txt", f), fmt.Sprintf("file%d%s\n", f, strings.Repeat("\nx", 20<<10)))
		}
		r := l.begin("run", l.drawn(parts), "--id", "drawn")
		l.until("the job", func() bool { _, err := l.client.Get(t.Context(), "drawn"); return err == nil })
		_, line := l.line("drawn", "reducing ")
		l.letGo(strings.Fields(line)[1])
		l.until("the first reduce task", func() bool {
			s := l.job("drawn").Progress.Stages
			return len(s) == 2 && s[1].Done >= 1
		})
		l.loseMapOutput(1)
		l.letGo("all")
		if res := r.end(); res.code != 0 {
			t.Fatalf("the command that followed the job: %s\nhost log:\n%s", res, l.hostLog())
		}
		j := l.job("drawn")
		if j.State != core.Succeeded || j.Epoch != 1 {
			t.Errorf("job %s is %s in attempt %d", j.ID, j.State, j.Epoch)
		}
		for _, want := range []string{"output of map 1 is lost; it runs again", "runs again: a map task run again gave other rows"} {
			if !slices.ContainsFunc(j.Outcome.Report.Notes, func(n string) bool { return strings.Contains(n, want) }) {
				t.Errorf("no note says %q: %q", want, j.Outcome.Report.Notes)
			}
		}
		l.oneGeneration(files, l.ok("store", "cat", "s3://results/drawn"))
	})
}

// drawn writes the document of a job over the scripts above.
func (l *lab) drawn(partitions int) string {
	l.t.Helper()
	l.write("drawing.sh", drawing)
	l.write("showing.sh", showing)
	return l.write("drawn.yaml", fmt.Sprintf(`apiVersion: capstan/v1
kind: MapReduce
metadata: {name: drawn}
gang: {size: 2, cpu: 500m, memory: 256Mi}
spec:
  input: {path: "file://%s/*.txt", splitSize: 64Ki}
  map: {exec: [./drawing.sh]}
  reduce: {exec: [./showing.sh]}
  shuffle: {partitions: %d}
  env: {GATE: %s}
  tasks: {speculation: false}
  output: {path: "s3://results/drawn"}
`, l.in(), partitions, l.in()))
}

// loseMapOutput removes the exchange file of a map task's first try.
func (l *lab) loseMapOutput(task int) {
	l.t.Helper()
	name := fmt.Sprintf("map-%05d.0.x", task)
	removed := 0
	err := filepath.WalkDir(filepath.Join(l.state, "gangs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			removed++
			err = os.Remove(path)
		}
		return err
	})
	if err != nil || removed != 1 {
		l.t.Fatalf("%d files %s removed, %v", removed, name, err)
	}
}

// oneGeneration holds a result against what is true of it whatever was drawn:
// every key has one token of each file, and of a file all keys have the same.
func (l *lab) oneGeneration(files int, text string) {
	l.t.Helper()
	tokens, rows := map[string]string{}, map[string]int{}
	for line := range strings.Lines(text) {
		key, drawn, _ := strings.Cut(strings.TrimSpace(line), "\t")
		file, token, _ := strings.Cut(drawn, "=")
		if tokens[file] == "" {
			tokens[file] = token
		}
		if len(token) != 16 || tokens[file] != token {
			l.t.Errorf("key %s has %s of %s, another key has %s", key, token, file, tokens[file])
		}
		rows[key]++
	}
	for key, n := range rows {
		if n != files {
			l.t.Errorf("key %s has %d rows, not %d", key, n, files)
		}
	}
	if len(rows) != 64 || len(tokens) != files {
		l.t.Errorf("%d keys of %d files", len(rows), len(tokens))
	}
}
