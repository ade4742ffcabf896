package peers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

//go:embed wordcount.py
var sparkWordCount []byte

//go:embed terasort.scala
var sparkTeraSort []byte

//go:embed shuffle.scala
var sparkShuffle []byte

//go:embed graphx.scala
var sparkGraph []byte

// Spark is an installed Spark.
type Spark struct {
	Version string
	python  string
	script  string
	sort    string // the script of TeraSort
	shuffle string // and that of Shuffle
	graph   string // and that of Graph
}

// InstallSpark finds Spark in the cache directory or installs it there, which
// takes minutes and half a gigabyte. It needs python3 and Java.
func InstallSpark(ctx context.Context, cache string) (*Spark, error) {
	venv := filepath.Join(cache, "spark-venv")
	s := &Spark{python: filepath.Join(venv, "bin", "python"), script: filepath.Join(cache, "wordcount.py"), sort: filepath.Join(cache, "terasort.scala"), shuffle: filepath.Join(cache, "shuffle.scala"),
		graph: filepath.Join(cache, "graphx.scala")}
	if _, err := exec.LookPath("java"); err != nil {
		return nil, core.Errorf(core.Invalid, "Spark needs Java, and there is none").Do("install a Java runtime (17 or later), or leave spark out of --peers")
	}
	var err error
	if s.Version, err = s.find(ctx); err != nil {
		for _, args := range [][]string{{"python3", "-m", "venv", venv}, {s.python, "-m", "pip", "install", "--quiet", "pyspark"}} {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				return nil, &core.Error{Kind: core.Invalid, What: "install Spark", Where: venv, Err: err, Detail: string(out),
					Remedy: "see what pip says, or leave spark out of --peers"}
			}
		}
		if s.Version, err = s.find(ctx); err != nil {
			return nil, core.Errorf(core.Internal, "the installed Spark does not start: %v", err).At(venv)
		}
	}
	return s, errors.Join(os.WriteFile(s.sort, sparkTeraSort, 0o644), os.WriteFile(s.shuffle, sparkShuffle, 0o644),
		os.WriteFile(s.graph, sparkGraph, 0o644), os.WriteFile(s.script, sparkWordCount, 0o644))
}

// TeraSort is the command line and environment of a sort of records of 100 bytes,
// from the files of one directory into those of another, which it makes. What
// Spark spills and shuffles lies in scratch, which must be there. What it prints
// is for [SortSeconds].
func (s *Spark) TeraSort(ctx context.Context, cores int, input, output, scratch string) (args, env []string, err error) {
	return s.shell(ctx, s.sort, cores, driverMemory, scratch, "INPUT="+input, "OUTPUT="+output)
}

// driverMemory is the JVM's heap, in which Spark does all its work here.
const driverMemory = "4g"

// shell is the command line and environment of a script of Spark's shell.
func (s *Spark) shell(ctx context.Context, script string, cores int, memory, scratch string, vars ...string) (args, env []string, err error) {
	out, err := exec.CommandContext(ctx, s.python, "-c", "import os, pyspark; print(os.path.dirname(pyspark.__file__))").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("find Spark's home: %w", err)
	}
	home := strings.TrimSpace(string(out))
	return []string{filepath.Join(home, "bin", "spark-shell"),
		"--master", fmt.Sprintf("local[%d]", cores), "--driver-memory", memory, "--conf", "spark.ui.enabled=false",
		"--conf", "spark.ui.showConsoleProgress=false", "--conf", "spark.local.dir=" + scratch,
		"--conf", "spark.serializer=org.apache.spark.serializer.KryoSerializer", "-I", script,
	}, append(append(s.Env(), "SPARK_HOME="+home, "SPARK_LOCAL_DIRS="+scratch), vars...), nil
}

// SortSeconds is how long the sort took by what TeraSort printed, without the
// start of Spark.
func SortSeconds(printed []byte) (float64, error) {
	_, after, ok := strings.Cut(string(printed), "sorted in ")
	if !ok {
		return 0, fmt.Errorf("Spark did not say how long its sort took: %.300q", printed)
	}
	number, _, _ := strings.Cut(after, " s")
	return strconv.ParseFloat(number, 64)
}

func (s *Spark) find(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, s.python, "-c", "import pyspark; print(pyspark.__version__)").Output()
	return strings.TrimSpace(string(out)), err
}

// Command is the command line of a word count: how is "rdd" or "dataframe",
// cores the N of local[N], output a directory that does not exist.
func (s *Spark) Command(how string, cores int, input, output string) []string {
	return []string{s.python, s.script, how, strconv.Itoa(cores), input, output}
}

// Env is what the command needs in its environment.
func (s *Spark) Env() []string {
	return []string{"PYSPARK_PYTHON=" + s.python, "SPARK_LOCAL_IP=127.0.0.1"}
}
