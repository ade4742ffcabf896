package graph

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// Answer is a value for each vertex.
type Answer []float64

// unreached is what a depth says of a vertex that is not reached.
const unreached = math.MaxInt64

// Read reads an answer about n vertices: a file of lines of ID and value, or a
// directory of such files whose names begin with part.
func Read(path string, n int) (Answer, error) {
	files, err := filepath.Glob(filepath.Join(path, "part*"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		files = []string{path}
	}
	a, seen := make(Answer, n), make([]bool, n)
	rows := 0
	for _, name := range files {
		k, err := a.read(name, seen)
		if err != nil {
			return nil, err
		}
		rows += k
	}
	if rows != n {
		return nil, core.Errorf(core.Failed, "the answer has %d rows for %d vertices", rows, n).At(path)
	}
	return a, nil
}

func (a Answer) read(name string, seen []bool) (rows int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); ; rows++ {
		if !lines.Scan() {
			return rows, lines.Err()
		}
		id, value, _ := bytes.Cut(lines.Bytes(), separator(lines.Bytes()))
		v, err := strconv.ParseUint(string(id), 10, 32)
		if err != nil || v >= uint64(len(a)) || seen[v] {
			return rows, core.Errorf(core.Failed, "the line %q is of no vertex, or of one that was there before", lines.Bytes()).At(name)
		}
		if a[v], err = strconv.ParseFloat(string(value), 64); err != nil {
			return rows, core.Errorf(core.Failed, "%v", err).At(name)
		}
		seen[v] = true
	}
}

func separator(line []byte) []byte {
	if bytes.IndexByte(line, '\t') >= 0 {
		return []byte{'\t'}
	}
	return []byte{' '}
}

// Differ says how an answer differs from the one wanted, by law G3; nil if it
// does not.
func Differ(algorithm string, want, got Answer) error {
	if len(want) != len(got) {
		return core.Errorf(core.Failed, "%d values, want %d", len(got), len(want))
	}
	same := func(_ int, w, g float64) bool { return w == g }
	switch algorithm {
	case WCC, SCC:
		there, back := map[float64]float64{}, map[float64]float64{}
		same = func(_ int, w, g float64) bool {
			x, ok := there[w]
			y, too := back[g]
			there[w], back[g] = g, w
			return (!ok || x == g) && (!too || y == w)
		}
	case PageRank, Compute, AtRest, SSSP:
		same = within(1e-4)
	case LCC:
		same = within(1e-6)
	}
	for v, w := range want {
		if g := got[v]; !same(v, w, g) {
			return fmt.Errorf("vertex %d has %v, want %v", v, g, w)
		}
	}
	return nil
}

func within(tolerance float64) func(int, float64, float64) bool {
	return func(_ int, w, g float64) bool {
		return w == g || !math.IsInf(w, 0) && math.Abs(w-g) <= tolerance*math.Abs(w)
	}
}
