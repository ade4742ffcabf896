package work

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
)

// distribution is a Spark that was found in the executor.
type distribution struct {
	home    string // has bin/spark-class
	python  string
	version string
}

// find looks for the distribution of a body.
func find(body *spec.Body) (*distribution, error) {
	root := body.Spark
	if root == "" {
		if root = os.Getenv("SPARK_HOME"); root == "" {
			root = "/opt/spark"
		}
	}
	d := &distribution{python: body.Python}
	for _, home := range candidates(root) {
		if isFile(filepath.Join(home, "bin", "spark-class")) && version(home) != "" { // an environment's bin has it too
			d.home = home
			break
		}
	}
	if d.home == "" {
		return nil, core.Errorf(core.Invalid, "there is no Spark in %s", root).At("spec.spark").
			Do("name an unpacked distribution, or a virtual environment into which `pip install pyspark` was run; with gang.image unset, leave it to the image's /opt/spark")
	}
	if d.python == "" {
		d.python = "python3"
		if own := filepath.Join(root, "bin", "python"); isFile(own) {
			d.python = own
		}
	}
	d.version = version(d.home)
	return d, nil
}

// candidates are where Spark may lie below root: an unpacked distribution is one
// itself, a virtual environment has it among its packages.
func candidates(root string) []string {
	found, _ := filepath.Glob(filepath.Join(root, "lib", "python3*", "site-packages", "pyspark")) // the pattern is well formed
	return append([]string{root}, found...)
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && !fi.IsDir()
}

// version is what the core's jar says; "" if none does.
func version(home string) string {
	found, _ := filepath.Glob(filepath.Join(home, "jars", "spark-core_*.jar"))
	if len(found) == 0 {
		return ""
	}
	_, v, _ := strings.Cut(strings.TrimSuffix(filepath.Base(found[0]), ".jar"), "spark-core_")
	if _, after, ok := strings.Cut(v, "-"); ok {
		return after
	}
	return v
}
