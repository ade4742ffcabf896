package work

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
)

// configure writes what all processes of a run read: spark-defaults.conf. It is
// where the secret is, so nobody else may read it.
func (w *worker) configure(r *run) error {
	if w.dist == nil {
		d, err := find(w.body)
		if err != nil {
			return err
		}
		w.dist = d
	}
	var b strings.Builder
	props := w.properties(r)
	for _, name := range slices.Sorted(maps.Keys(props)) {
		fmt.Fprintf(&b, "%s %s\n", name, escape(props[name]))
	}
	if err := os.WriteFile(filepath.Join(r.dir, "conf", "spark-defaults.conf"), []byte(b.String()), 0o600); err != nil {
		return core.Errorf(core.Failed, "write Spark's configuration: %v", err)
	}
	return nil
}

// escape keeps a value in its line: the file is one of Java's properties.
func escape(v string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v)
}

// properties are the job's own and, before them, what follows from the gang.
func (w *worker) properties(r *run) map[string]string {
	driver, each, alone := spec.Memory(&w.env.Spec.Gang)
	_, heap := w.body.Heaps(driver, each, alone)
	p := map[string]string{
		"spark.authenticate": "true", "spark.authenticate.secret": r.secret,
		"spark.ui.killEnabled": "false", "spark.ui.showConsoleProgress": "false",
		"spark.eventLog.enabled": "true", "spark.eventLog.dir": "file:" + filepath.Join(r.dir, "events"),
		"spark.eventLog.rolling.enabled": "false", "spark.eventLog.compress": "false",
		"spark.driver.host": w.address, "spark.driver.bindAddress": w.address,
		"spark.executor.memory": mebibytes(heap), "spark.pyspark.python": w.dist.python,
	}
	maps.Copy(p, w.body.Conf)
	return p
}

func mebibytes(b core.Bytes) string { return fmt.Sprintf("%dm", b>>20) }

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the whole environment of a process of Spark's, without what Capstan
// gives its executor.
func (w *worker) environ(r *run, own map[string]string) []string {
	vars := map[string]string{"PATH": usualPath, "LANG": "C.UTF-8"}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "CAPSTAN_") && !strings.HasPrefix(name, "SPARK_") && name != "GOMEMLIMIT" && name != "GOMAXPROCS" || name == "CAPSTAN_EXECUTOR" {
			vars[name] = value
		}
	}
	maps.Copy(vars, map[string]string{
		"SPARK_HOME": w.dist.home, "SPARK_CONF_DIR": filepath.Join(r.dir, "conf"), "SPARK_LOCAL_DIRS": filepath.Join(r.dir, "local"),
		"SPARK_WORKER_DIR": filepath.Join(r.dir, "work"), "SPARK_LOCAL_IP": w.address, "SPARK_DAEMON_MEMORY": mebibytes(spec.DaemonHeap),
		"SPARK_LOG_DIR": filepath.Join(r.dir, "work"), "PYSPARK_PYTHON": w.dist.python, "PYSPARK_DRIVER_PYTHON": w.dist.python,
		"HOME": filepath.Join(r.dir, "app"), "TMPDIR": filepath.Join(r.dir, "local"),
		"SPARK_USER": "capstan", "HADOOP_USER_NAME": "capstan",
	})
	maps.Copy(vars, own)
	list := make([]string, 0, len(vars))
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, k+"="+vars[k])
	}
	return list
}

// shipped are where files of a body lie here.
func (w *worker) shipped(files []string) []string {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = artifact.In(w.env.Files, f)
	}
	return list
}
