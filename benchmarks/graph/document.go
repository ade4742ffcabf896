package graph

import (
	"encoding/json"
	"strconv"
)

// Algorithms of the workload. Compute is PageRank as a vertex program.
const (
	PageRank = "pagerank"
	Compute  = "compute"
	WCC      = "wcc"
	SSSP     = "sssp"
	BFS      = "bfs"
	CDLP     = "cdlp"
	LCC      = "lcc"
)

// Algorithms are all of them.
func Algorithms() []string { return []string{PageRank, Compute, WCC, SSSP, BFS, CDLP, LCC} }

// Iterations of PageRank and CDLP.
const Iterations = 10

// Job is a job on a graph. Zero values take the defaults of the kind.
type Job struct {
	Algorithm  string
	Program    string // path of the vertex program, of Compute
	Executors  int
	CPU        string
	Memory     string
	Partition  string
	Iterations int   // default Iterations
	Every      int64 // supersteps between checkpoints; 0: none
	Output     string
}

// Rounds is how many iterations the job has.
func (j Job) Rounds() int {
	if j.Iterations == 0 {
		return Iterations
	}
	return j.Iterations
}

// Document is the job's document, which is JSON and so YAML.
func (j Job) Document(g *Graph) ([]byte, error) {
	iterations := j.Rounds()
	input := map[string]any{"path": "file://" + g.Text, "format": "text"}
	how := map[string]any{"directed": false, "ids": "int"}
	if j.Partition != "" {
		how["partition"] = j.Partition
	}
	algorithm := map[string]any{"use": j.Algorithm}
	switch j.Algorithm {
	case PageRank, CDLP:
		algorithm["with"] = map[string]any{"iterations": iterations}
	case BFS, SSSP:
		algorithm["with"] = map[string]any{"source": strconv.FormatUint(uint64(g.Source), 10)}
	case Compute:
		algorithm = map[string]any{"use": VertexProgram, "program": j.Program, "with": map[string]any{"iterations": iterations}}
	}
	if j.Algorithm == SSSP {
		input = map[string]any{"path": "file://" + g.Parquet, "format": "parquet"}
		how["weighted"] = true
	}
	return json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "BSP",
		"metadata": map[string]any{"name": "bench-" + j.Algorithm},
		"gang":     map[string]any{"size": j.Executors, "cpu": j.CPU, "memory": j.Memory},
		"spec": map[string]any{"input": input, "graph": how, "algorithm": algorithm,
			"checkpoint": map[string]any{"every": j.Every, "period": "0s"},
			"output":     map[string]any{"path": "file://" + j.Output, "format": "text"}}})
}

// VertexProgram is the name of the program of Compute, in programs/vertexrank.
const VertexProgram = "vertexrank"
