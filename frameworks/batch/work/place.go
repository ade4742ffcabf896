package work

import (
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// place is where a try runs.
type place struct {
	job   core.JobID
	meta  core.Metadata
	index string // of the element; "" without an array
	rank  int
	nodes []string // by rank
}

func placeOf(env *core.Env, run *task.Run) place {
	p := place{job: env.Rank.Job, meta: env.Spec.Metadata, rank: env.Rank.Rank}
	if _, index, ok := core.ElementOf(env.Rank.Gang); ok {
		p.index = itoa(index)
	}
	for _, n := range run.Nodes {
		p.nodes = append(p.nodes, string(n))
	}
	for len(p.nodes) < env.Size {
		p.nodes = append(p.nodes, "localhost")
	}
	return p
}

func (p *place) node() string { return p.nodes[p.rank] }

// distinct are the gang's nodes, each once, in the order of ranks.
func (p *place) distinct() []string {
	var list []string
	for _, n := range p.nodes {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// local is the number of the rank among those of its node.
func (p *place) local() int {
	n := 0
	for _, node := range p.nodes[:p.rank] {
		if node == p.node() {
			n++
		}
	}
	return n
}

// element is the job's id, with the index that makes it an element's own.
func (p *place) element(format func(job, index string) string) string {
	if p.index == "" {
		return string(p.job)
	}
	return format(string(p.job), p.index)
}

func (p *place) pattern() spec.Place {
	return spec.Place{Job: string(p.job), Name: p.meta.Name, User: p.meta.User, Index: p.index, Rank: p.rank, Node: p.node()}
}

// array is the job's array, in numbers as scripts read them; ok is false
// without one.
func (p *place) array() (first, last, step, count string, ok bool) {
	a, err := core.ParseArray(p.meta.Array)
	if p.meta.Array == "" || err != nil {
		return "", "", "", "", false
	}
	n := a.Len()
	return itoa(a.Index(0)), itoa(a.Index(n - 1)), itoa(a.Ranges[0].Step), strconv.Itoa(n), true
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
