package mpisuite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// mpi4py is the directory, beside those of MPICH, of mpi4py's own test suite.
const mpi4py = "mpi4py"

// TestsOK is passed by who says "OK" as Python's unittest does, and ends with 0.
const TestsOK Want = "TestsOK"

// ranksOfMPI4py is how many ranks run each file of tests.
const ranksOfMPI4py = 2

// mpi4py builds mpi4py with the machine's MPICH, once, and returns a case for each
// file of its tests.
func (s *source) mpi4py(ctx context.Context, suite string) ([]Case, error) {
	dir := filepath.Join(s.cache, "py")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	const script = `set -e
[ -x v/bin/python ] || python3 -m venv v
v/bin/python -c 'import mpi4py' 2>/dev/null || {
	v/bin/pip install -q wheel setuptools
	MPICC=mpicc.mpich v/bin/pip install -q --no-binary mpi4py mpi4py numpy
}
ls -d mpi4py-*/test >/dev/null 2>&1 || {
	version=$(v/bin/python -c 'import mpi4py; print(mpi4py.__version__)')
	v/bin/pip download -q --no-binary :all: --no-deps --no-build-isolation mpi4py==$version
	tar xf mpi4py-*.tar.gz
}`
	if err := s.run(ctx, dir, "sh", "-c", script); err != nil {
		return nil, err
	}
	tests, _ := filepath.Glob(filepath.Join(dir, "mpi4py-*", "test", "test_*.py"))
	if len(tests) == 0 {
		return nil, core.Errorf(core.Failed, "mpi4py's source has no test/test_*.py").At(dir)
	}
	slices.Sort(tests)
	link := filepath.Join(suite, mpi4py)
	_ = os.Remove(link)
	if err := os.Symlink(filepath.Dir(filepath.Dir(tests[0])), link); err != nil {
		return nil, err
	}
	var list []Case
	for _, t := range tests {
		name := strings.TrimSuffix(filepath.Base(t), ".py")
		list = append(list, Case{Dir: mpi4py, Ranks: ranksOfMPI4py, Wants: TestsOK,
			Argv: []string{filepath.Join(dir, "v", "bin", "python"), "test/main.py", "-q", "-i", name + `\.`}})
	}
	return list, nil
}

// testsOK is what is wrong with an output of unittest.
func testsOK(output string) string {
	fault := "no rank said OK"
	for line := range strings.Lines(output) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "FAIL: "), strings.HasPrefix(line, "ERROR: "), strings.HasPrefix(line, "FAILED"):
			return line
		case strings.HasPrefix(line, "Ran 0 tests"):
			return "ran no test"
		case line == "OK", strings.HasPrefix(line, "OK ("):
			fault = ""
		}
	}
	return fault
}
