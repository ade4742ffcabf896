package graph

import (
	"encoding/json"
	"strconv"
)

// Algorithms of the workload. Compute is PageRank as a vertex program, and AtRest
// PageRank that says what memory it holds. Those from SCC on are not timed: their
// answers are held against NetworkX's.
const (
	PageRank = "pagerank"
	Compute  = "compute"
	WCC      = "wcc"
	SSSP     = "sssp"
	BFS      = "bfs"
	CDLP     = "cdlp"
	LCC      = "lcc"
	AtRest   = "atrest"

	SCC       = "scc"
	Triangles = "triangles"
	KCore     = "kcore"
	MST       = "mst"
	Matching  = "matching"
)

// Algorithms are those that are timed.
func Algorithms() []string { return []string{PageRank, Compute, WCC, SSSP, BFS, CDLP, LCC} }

// Iterations of PageRank and CDLP.
const Iterations = 10

// Job is a job on a graph. Zero values take the defaults of the kind.
type Job struct {
	Algorithm  string
	Program    string // path of the program, of Compute and AtRest
	Directed   string // path of a directed graph's text, as [Graph.Direct] writes it, to run on instead
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
	input, how := j.input(g)
	if j.Partition != "" {
		how["partition"] = j.Partition
	}
	return json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "BSP",
		"metadata": map[string]any{"name": "bench-" + j.Algorithm},
		"gang":     map[string]any{"size": j.Executors, "cpu": j.CPU, "memory": j.Memory},
		"spec": map[string]any{"input": input, "graph": how, "algorithm": j.algorithm(g),
			"checkpoint": map[string]any{"every": j.Every, "period": "0s"},
			"output":     map[string]any{"path": "file://" + j.Output, "format": "text"}}})
}

// input is what the job reads, and how.
func (j Job) input(g *Graph) (input, how map[string]any) {
	input = map[string]any{"path": "file://" + g.Text, "format": "text"}
	how = map[string]any{"directed": j.Directed != "", "ids": "int"}
	weighted := j.Algorithm == SSSP || j.Algorithm == MST
	if weighted {
		how["weighted"] = true
	}
	switch {
	case j.Directed != "":
		input["path"] = "file://" + j.Directed
	case weighted:
		input = map[string]any{"path": "file://" + g.Parquet, "format": "parquet"}
	}
	return input, how
}

func (j Job) algorithm(g *Graph) map[string]any {
	algorithm := map[string]any{"use": j.Algorithm}
	switch j.Algorithm {
	case PageRank, CDLP:
		algorithm["with"] = map[string]any{"iterations": j.Rounds()}
	case BFS, SSSP:
		algorithm["with"] = map[string]any{"source": strconv.FormatUint(uint64(g.Source), 10)}
	case Compute:
		algorithm = map[string]any{"use": VertexProgram, "program": j.Program, "with": map[string]any{"iterations": j.Rounds()}}
	case AtRest:
		algorithm = map[string]any{"use": AtRest, "program": j.Program, "with": map[string]any{"iterations": j.Rounds()}}
	}
	return algorithm
}

// RestCounter is the counter in which programs/atrest says the bytes that all ranks
// hold.
const RestCounter = "memory at rest"

// VertexProgram is the name of the program of Compute, in programs/vertexrank.
const VertexProgram = "vertexrank"
