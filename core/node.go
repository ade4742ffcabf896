package core

import "fmt"

// NodeID names a machine that takes executors.
type NodeID string

// Node is a machine and what it can hold.
type Node struct {
	ID       NodeID            `json:"id"`
	Zone     string            `json:"zone,omitempty"`
	Rack     string            `json:"rack,omitempty"`
	Capacity Resources         `json:"capacity"`
	Labels   map[string]string `json:"labels,omitempty"`
	Generic  map[string]int64  `json:"generic,omitempty"` // such as {"gpu": 4}
	NUMA     int               `json:"numa,omitempty"`    // equal NUMA domains; 0: not known
	Images   []string          `json:"images,omitempty"`  // container images it holds
}

// Resources is an amount of each schedulable thing.
type Resources struct {
	CPU    MilliCPU `json:"cpu"`
	Memory Bytes    `json:"memory"`
}

func (r Resources) Add(o Resources) Resources {
	return Resources{r.CPU + o.CPU, r.Memory + o.Memory}
}

func (r Resources) Sub(o Resources) Resources {
	return Resources{r.CPU - o.CPU, r.Memory - o.Memory}
}

// Fits reports whether r fits into free.
func (r Resources) Fits(free Resources) bool {
	return r.CPU <= free.CPU && r.Memory <= free.Memory
}

func (r Resources) String() string { return fmt.Sprintf("%s cpu, %s memory", r.CPU, r.Memory.Short()) }

// Rank identifies an executor within one attempt of a job.
type Rank struct {
	Job   JobID
	Epoch Epoch
	Gang  string // the gang's name within the job
	Rank  int
}

// String is the executor's name, safe as a container name: "wordcount-x7.1.main.3".
func (r Rank) String() string { return fmt.Sprintf("%s.%d.%s.%d", r.Job, r.Epoch, r.Gang, r.Rank) }
