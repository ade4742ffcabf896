package work

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// Context is a try's surroundings, for user code. Its methods may be called
// from any goroutine.
type Context struct {
	Job   core.JobID
	Epoch core.Epoch
	// Task is of the reduce step the partition that it reduces: each of a task's
	// partitions is to user code a reduce task of its own.
	Task task.ID
	Try  int
	Step spec.Step
	// Name of the step: "map", "combine" or "reduce".
	Name string
	// Parts is the number of partitions, 0 in a map-only job.
	Parts int
	Env   *core.Env
	Body  *spec.Body

	shared *tryState
}

// tryState is what all steps of a try share.
type tryState struct {
	mu       sync.Mutex
	counters map[string]int64
	status   string
	side     map[string]*sideFile
	dir      string // the try's own scratch directory
	bad      func(input.Bad) error
	split    input.Split
	file     string // being read
	offset   int64
	alive    func() // reports progress
}

// Count adds n to a counter of the job. Only winning tries count.
func (c *Context) Count(group, name string, n int64) {
	s := c.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counters == nil {
		s.counters = map[string]int64{}
	}
	key := group + "/" + name
	// A script may name counters from its data: bound what that can cost.
	if _, known := s.counters[key]; !known && len(s.counters) >= maxCounters {
		s.counters["capstan/counters dropped"]++
		return
	}
	s.counters[key] += n
}

const maxCounters = 1000

// Status sets the try's one-line status.
func (c *Context) Status(text string) {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	c.shared.status = text
}

// Alive says that the step is at work: a try that does nothing for
// spec.tasks.timeout is given up.
func (c *Context) Alive() {
	if c.shared.alive != nil {
		c.shared.alive()
	}
}

// File is the path of a file shipped with the job (spec.files), by its base name.
func (c *Context) File(name string) string { return filepath.Join(c.Env.Files, filepath.Base(name)) }

// Input is the file being read and the offset of the block in it; empty in a
// reduce task.
func (c *Context) Input() (url string, offset int64) {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	return c.shared.file, c.shared.offset
}

// Split is what a map task reads.
func (c *Context) Split() input.Split { return c.shared.split }

// Scratch is a directory of the try's own, removed at its end.
func (c *Context) Scratch() string { return c.shared.dir }

// Bad reports a record that cannot be processed. Nil means that it was set
// aside; an error ends the task: return it.
func (c *Context) Bad(b input.Bad) error { return c.shared.bad(b) }

// SideFile opens a file that becomes part of the result, as _side/<name>-<task>,
// if this try wins. Every call with the same name answers the same file. name
// is a file name without separators.
func (c *Context) SideFile(name string) (io.Writer, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") || len(name) > 100 {
		return nil, core.Errorf(core.Failed, "%q cannot name a side file", name).Do("use a file name of at most 100 bytes, without separators")
	}
	s := c.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.side[name]; f != nil {
		return f, nil
	}
	f, err := os.CreateTemp(s.dir, "side-*")
	if err != nil {
		return nil, err
	}
	if s.side == nil {
		s.side = map[string]*sideFile{}
	}
	s.side[name] = &sideFile{file: f}
	return s.side[name], nil
}

// sideFile serialises writes.
type sideFile struct {
	mu   sync.Mutex
	file *os.File
}

func (f *sideFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

func (s *tryState) at(file string, offset int64) {
	s.mu.Lock()
	s.file, s.offset = file, offset
	s.mu.Unlock()
}

func (s *tryState) counts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counters)
}

func (s *tryState) statusText() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}
