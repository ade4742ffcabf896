package scenarios

import (
	"fmt"
	"testing"
)

// TestAnswer runs one job over gangs and partitions of many sizes: the answer
// is the same, byte for byte after ordering.
func TestAnswer(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		want := l.fill(9, 3000, nil)
		partitions := []int{1, 3, 8}
		for i, size := range []int{1, 2, 4, 7} {
			for k, parts := range partitions {
				if size > 2 && launcher == "docker" && k != i%3 {
					continue // containers cost most of a second each
				}
				name := fmt.Sprintf("words-%d-%d", size, parts)
				doc := l.write(name+".yaml", fmt.Sprintf(`apiVersion: capstan/v1
kind: MapReduce
metadata: {name: words}
gang: {size: %d, cpu: 250m, memory: 128Mi}
spec:
  input: {path: "file://%s/*.txt", splitSize: 64Ki}
  map: {use: words}
  combine: {use: sum}
  reduce: {use: sum}
  shuffle: {partitions: %d}
  output: {path: "s3://results/%s"}
`, size, l.in(), parts, name))
				l.ok("run", "-q", doc)
				l.check(want, "s3://results/"+name)
			}
		}
	})
}

// TestScripts runs the same job as scripts over lines.
func TestScripts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		want := l.fill(4, 3000, nil)
		l.ok("run", "-q", l.held("lines", 3, ""))
		l.check(want, "s3://results/lines")
	})
}
