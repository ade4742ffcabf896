package peers

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

//go:embed cpp/pagerank.cpp
var pageRankSource []byte

//go:embed networkx.py
var networkXScript []byte

// Graph is the command line and environment of one of GraphX's algorithms:
// "pagerank", "wcc", "cdlp", "bfs", "sssp", "lcc". input is lines of two ids, an
// edge each, and output a directory that does not exist. What Spark spills lies in
// scratch, which must be there. What it prints is for [Loop].
func (s *Spark) Graph(ctx context.Context, cores int, algorithm, input, output, scratch string, source uint32) (args, env []string, err error) {
	return s.shell(ctx, s.graph, cores, graphMemory, scratch, "ALGORITHM="+algorithm, "INPUT="+input, "OUTPUT="+output, fmt.Sprintf("SOURCE=%d", source))
}

// graphMemory is the JVM's heap for graphs, of which GraphX keeps some 300 bytes an
// edge.
const graphMemory = "12g"

// Loop is how long a program took to read a graph, and then to run its algorithm
// on it, both in seconds, by what it printed.
func Loop(printed []byte) (loading, loop float64, err error) {
	for what, into := range map[string]*float64{"loaded in ": &loading, "ran in ": &loop} {
		_, after, ok := strings.Cut(string(printed), what)
		if !ok {
			return 0, 0, fmt.Errorf("the program did not say how long it took: %.300q", printed)
		}
		number, _, _ := strings.Cut(after, " s")
		if *into, err = strconv.ParseFloat(number, 64); err != nil {
			return 0, 0, err
		}
	}
	return loading, loop, nil
}

// CompilePageRank makes the C++ program in a directory, and returns its path. It
// needs g++.
func CompilePageRank(ctx context.Context, dir string) (string, error) {
	source, program := filepath.Join(dir, "pagerank.cpp"), filepath.Join(dir, "pagerank")
	if err := os.WriteFile(source, pageRankSource, 0o644); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "g++", "-O3", "-march=native", "-fopenmp", "-o", program, source).CombinedOutput()
	if err != nil {
		return "", &core.Error{Kind: core.Invalid, What: "compile the C++ program", Where: source, Err: err, Detail: string(out),
			Remedy: "install g++, or leave cpp out of --peers"}
	}
	return program, nil
}

// InstallNetworkX finds NetworkX in the cache directory or installs it there, and
// returns the command that runs an algorithm; ALGORITHM INPUT OUTPUT SOURCE go
// behind it.
func InstallNetworkX(ctx context.Context, cache string) ([]string, error) {
	venv, script := filepath.Join(cache, "networkx-venv"), filepath.Join(cache, "networkx-run.py")
	python := filepath.Join(venv, "bin", "python")
	if err := exec.CommandContext(ctx, python, "-c", "import networkx, scipy").Run(); err != nil {
		for _, args := range [][]string{{"python3", "-m", "venv", venv}, {python, "-m", "pip", "install", "--quiet", "networkx", "scipy"}} {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				return nil, &core.Error{Kind: core.Invalid, What: "install NetworkX", Where: venv, Err: err, Detail: string(out),
					Remedy: "see what pip says, or leave networkx out of --peers"}
			}
		}
	}
	return []string{python, script}, os.WriteFile(script, networkXScript, 0o644)
}
