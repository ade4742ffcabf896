package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/spark/sparktest"
)

// TestReadmeSpark runs the README's document with a distribution that only looks
// like Spark.
func TestReadmeSpark(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.write("pi.py", "say arguments:\nleave pi.txt\n")
		doc := strings.NewReplacer("/opt/spark", sparktest.Distribution(t), "cpu: 1", "cpu: 100m").Replace(block(t, "kind: Spark"))
		l.ok("run", l.write("pi.yaml", doc))
		if out := l.ok("logs", "@latest"); !strings.Contains(out, "arguments: 10") {
			t.Errorf("the log says\n%s", out)
		}
		if out := l.ok("store", "ls", "s3://results/pi/"); !strings.Contains(out, "_manifest.json") || !strings.Contains(out, "pi.txt") {
			t.Errorf("the results are\n%s", out)
		}
		if out := l.ok("store", "ls", "s3://results/pi-events/"); !strings.Contains(out, "app-1") {
			t.Errorf("the event log is\n%s", out)
		}
	})
}

// TestSparkExamples runs applications that Spark ships, untouched, on the Spark
// that CAPSTAN_SPARK names: a virtual environment with PyPI's pyspark.
func TestSparkExamples(t *testing.T) {
	spark := os.Getenv("CAPSTAN_SPARK")
	if spark == "" {
		t.Skip("CAPSTAN_SPARK names no virtual environment with pyspark (half a gigabyte): the examples of Spark are not run")
	}
	found, err := filepath.Glob(filepath.Join(spark, "lib", "python3*", "site-packages", "pyspark"))
	if err != nil || len(found) != 1 {
		t.Fatalf("no pyspark in %s: %v", spark, err)
	}
	examples := filepath.Join(found[0], "examples", "src", "main", "python")
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		words := l.write("data/words.txt", "a b a\nb a\n")
		links := l.write("data/links.txt", "1 2\n2 1\n3 1\n")
		for _, c := range []struct{ app, args, want string }{
			{"pi.py", `["2"]`, "Pi is roughly 3."},
			{"wordcount.py", `["` + words + `"]`, "a: 3"},
			{"pagerank.py", `["` + links + `", "2"]`, "has rank:"},
			{"sql/basic.py", `[]`, "Justin"},
			{"ml/correlation_example.py", `[]`, "Pearson correlation matrix"},
		} {
			for _, size := range []string{"1", "3"} {
				doc := strings.NewReplacer("{APP}", filepath.Join(examples, c.app), "{ARGS}", c.args, "{SIZE}", size, "{SPARK}", spark, "{DATA}", filepath.Join(l.dir, "data")).Replace(sparkExample)
				l.ok("run", l.write("example.yaml", doc))
				if out := l.ok("logs", "@latest"); !strings.Contains(out, c.want) {
					t.Errorf("%s on a gang of %s says\n%s", c.app, size, out)
				}
			}
		}
	})
}

const sparkExample = `apiVersion: capstan/v1
kind: Spark
metadata: {name: example}
gang: {size: {SIZE}, cpu: 500m, memory: 3Gi, startTimeout: 5m}
spec:
  app: {APP}
  args: {ARGS}
  spark: {SPARK}
  data: ["{DATA}"]
`
