package peers

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

//go:embed wordcount.py
var sparkWordCount []byte

// Spark is an installed Spark.
type Spark struct {
	Version string
	python  string
	script  string
}

// InstallSpark finds Spark in the cache directory or installs it there, which
// takes minutes and half a gigabyte. It needs python3 and Java.
func InstallSpark(ctx context.Context, cache string) (*Spark, error) {
	venv := filepath.Join(cache, "spark-venv")
	s := &Spark{python: filepath.Join(venv, "bin", "python"), script: filepath.Join(cache, "wordcount.py")}
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
	return s, os.WriteFile(s.script, sparkWordCount, 0o644)
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
