package scenarios

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// corpus is an input whose word counts are known.
type corpus map[string]int

// fill writes files of a corpus to the lab's input folder. Each file of holds,
// by its number, begins with that line more.
func (l *lab) fill(files, lines int, holds map[int]string) corpus {
	l.t.Helper()
	c := corpus{}
	rng := rand.New(rand.NewPCG(7, uint64(files)))
	for f := range files {
		var b strings.Builder
		if h := holds[f]; h != "" {
			fmt.Fprintln(&b, h)
		}
		for range lines {
			for range 1 + rng.IntN(8) {
				w := word(rng)
				c[w]++
				b.WriteString(w + " ")
			}
			b.WriteByte('\n')
		}
		l.write(fmt.Sprintf("in/%03d.txt", f), b.String())
	}
	return c
}

// word is one of some hundreds, few of them often.
func word(rng *rand.Rand) string {
	n := rng.IntN(1 + rng.IntN(400))
	return fmt.Sprintf("w%c%c", 'a'+n/26, 'a'+n%26)
}

// String is the answer in order, one word a line, as the job writes it.
func (c corpus) String() string {
	lines := make([]string, 0, len(c))
	for w, n := range c {
		lines = append(lines, fmt.Sprintf("%s\t%d", w, n))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func sorted(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// check holds a result against the corpus, byte for byte after ordering.
func (l *lab) check(want corpus, url string) {
	l.t.Helper()
	got := sorted(l.ok("store", "cat", url))
	if got != want.String() {
		l.t.Fatalf("the answer at %s is wrong: %s", url, difference(want.String(), got))
	}
}

func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d is %q, not %q (%d lines, not %d)", i, g[i], w[i], len(g), len(w))
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(g), len(w))
}

// The scripts of jobs that can be held. They are written once a lab, beside its
// documents. "@hold NAME" makes the mapper wait; "@pass NAME" makes the reducer
// that gets it wait. The file that ends the wait lies beside the input.
const (
	mapper = `#!/bin/sh
exec awk -v gate="$GATE" '
$1 == "@hold" { print "holding " $2 > "/dev/stderr"; fflush("/dev/stderr")
                while (system("test -e " gate "/" $2) != 0) system("sleep 0.05"); next }
$1 == "@pass" { print "@" $2 "\t1"; next }
{ for (i = 1; i <= NF; i++) print $i "\t1" }'
`
	reducer = `#!/bin/sh
exec awk -F '\t' -v gate="$GATE" '
/^@/ { name = substr($1, 2); print "holding " name > "/dev/stderr"; fflush("/dev/stderr")
       while (system("test -e " gate "/" name) != 0) system("sleep 0.05"); next }
{ n[$1] += $2 }
END { for (w in n) print w "\t" n[w] }'
`
)

// held writes the document of a job over the scripts above.
func (l *lab) held(name string, partitions int, more string) string {
	l.t.Helper()
	l.write("mapper.sh", mapper)
	l.write("reducer.sh", reducer)
	return l.write(name+".yaml", fmt.Sprintf(`apiVersion: capstan/v1
kind: MapReduce
metadata: {name: %s}
gang: {size: 2, cpu: 500m, memory: 256Mi}
spec:
  input: {path: "file://%s/*.txt", splitSize: 64Ki}
  map: {exec: [./mapper.sh]}
  reduce: {exec: [./reducer.sh]}
  shuffle: {partitions: %d}
  env: {GATE: %s}
  tasks: {speculation: false}
  output: {path: "s3://results/%s"}
%s`, name, l.in(), partitions, l.in(), name, more))
}

func (l *lab) in() string { return filepath.Join(l.dir, "in") }

// letGo ends a wait.
func (l *lab) letGo(gate string) { l.write("in/"+gate, "") }

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
