package simulate

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// SWF is a trace in the Standard Workload Format of the Parallel Workloads
// Archive, version 2.2: comments begin with a semicolon, and those of the form
// "; Key: value" before the first record are the header; every other line is
// one job in 18 numbers, of which -1 stands for unknown.
//
// A job of n processors is a gang of n executors of one CPU each. Records are
// left out, with a Note, that say too little (no submit or run time, no width),
// that are parts of another record (statuses 2, 3 and 4 are the pieces of a job
// that was checkpointed), or that no simulation can run (wider than the
// machine). A job without a requested time asks for what it used.
type SWF struct {
	Name string
	From io.Reader
	// Nodes and CPUs are the machine: so many nodes of so many processors. 0:
	// MaxNodes of the header, and MaxProcs shared among them; without a header,
	// as many nodes of one processor as the widest job has.
	Nodes, CPUs int
	// Memory is that of a node; 0: the requested memory does not count.
	Memory core.Bytes
}

// The fields of a record that matter here, counted from 0.
const (
	swfNumber = iota
	swfSubmit
	swfWait
	swfRun
	swfProcs
	_ // CPU time
	_ // memory used
	swfAskedProcs
	swfAskedTime
	swfAskedMemory // kilobytes a processor
	swfStatus
	swfUser
	_ // group
	swfProgram
	swfQueue
	swfFields = 18
)

// longestLine is where a line of a trace counts as damaged.
const longestLine = 1 << 20

// Workload reads the trace. A line that is no record is an error that names
// every such line, up to ten.
func (s SWF) Workload() (*Workload, error) {
	r := swfReader{SWF: s, header: map[string]string{}, seen: map[string]bool{}, w: &Workload{Name: s.Name}}
	if err := r.read(); err != nil {
		return nil, err
	}
	if len(r.faults) > 0 {
		e := core.Errorf(core.Invalid, "%d lines of the trace are no records of the Standard Workload Format", r.bad)
		e.Where, e.Diagnostics = s.Name, r.faults
		return nil, e.Do("a record has 18 numbers, and -1 for what is not known; take the lines out, or put a semicolon before them")
	}
	if len(r.w.Jobs) == 0 {
		e := core.Errorf(core.Invalid, "the trace has no job to replay")
		e.Where = s.Name
		return nil, e.Do("give a trace in the Standard Workload Format")
	}
	if err := r.shape(); err != nil {
		return nil, err
	}
	r.w.sort()
	return r.w, nil
}

// swfReader is one reading of a trace.
type swfReader struct {
	SWF
	header map[string]string
	seen   map[string]bool // job numbers
	lines  []int           // of w.Jobs
	w      *Workload
	faults []core.Diagnostic
	bad    int
}

func (r *swfReader) read() error {
	sc := bufio.NewScanner(r.From)
	sc.Buffer(nil, longestLine)
	line := 0
	for sc.Scan() {
		line++
		text := strings.TrimSpace(sc.Text())
		switch {
		case text == "":
		case text[0] == ';':
			if key, value, ok := strings.Cut(text[1:], ":"); ok && len(r.lines) == 0 {
				r.header[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		default:
			r.record(line, strings.Fields(text))
		}
	}
	if err := sc.Err(); err != nil {
		e := core.Errorf(core.Invalid, "line %d of the trace cannot be read: %v", line+1, err)
		e.Where = r.Name
		return e.Do("check that it is the trace itself, not a compressed file")
	}
	return nil
}

func (r *swfReader) fault(line int, message string) {
	r.bad++
	if len(r.faults) < 10 {
		r.faults = append(r.faults, core.Diagnostic{Line: line, Column: 1, Message: message})
	}
}

// farthest bounds a number of a trace, so that sums of milliseconds fit.
const farthest = 1e11

// numbers reads the fields of a record.
func (r *swfReader) numbers(line int, fields []string) (v [swfFields]float64, ok bool) {
	if len(fields) < swfFields {
		r.fault(line, fmt.Sprintf("%d fields, want %d", len(fields), swfFields))
		return v, false
	}
	for i := range v {
		f, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || !(math.Abs(f) <= farthest) {
			r.fault(line, fmt.Sprintf("field %d is %.20q, want a number", i+1, fields[i]))
			return v, false
		}
		v[i] = f
	}
	return v, true
}

func (r *swfReader) record(line int, fields []string) {
	v, ok := r.numbers(line, fields)
	if !ok {
		return
	}
	procs := v[swfProcs]
	if procs <= 0 {
		procs = v[swfAskedProcs]
	}
	number := strconv.FormatFloat(v[swfNumber], 'f', -1, 64)
	switch status := v[swfStatus]; {
	case status >= 2 && status <= 4:
		r.w.note("part of a job that was checkpointed, which has a record of its own: left out", line)
	case v[swfSubmit] < 0:
		r.w.note("no submit time is known: left out", line)
	case v[swfRun] < 0 && status == 5:
		r.w.note("cancelled before it ran: left out", line)
	case v[swfRun] < 0:
		r.w.note("no run time is known: left out", line)
	case procs < 1:
		r.w.note("no number of processors is known: left out", line)
	case r.seen[number]:
		r.w.note("its job number was used before: left out", line)
	default:
		r.seen[number] = true
		r.job(line, number, int(procs), &v)
	}
}

func (r *swfReader) job(line int, number string, procs int, v *[swfFields]float64) {
	run, wall := millis(v[swfRun]), millis(v[swfAskedTime])
	switch {
	case wall <= 0:
		r.w.note("no requested time is known: what it used stands for it", line)
		wall = max(1, run)
	case run > wall:
		r.w.note("ran longer than it had asked for: ended at its walltime", line)
	}
	q := gang.Request{
		Gang: gang.IDOf(core.JobID(number), "main"), Job: core.JobID(number),
		Size: procs, Each: core.Resources{CPU: 1000}, Walltime: wall,
	}
	if r.Memory > 0 && v[swfAskedMemory] > 0 {
		q.Each.Memory = core.Bytes(v[swfAskedMemory]) << 10
	}
	if v[swfUser] >= 0 {
		q.User = "user" + strconv.Itoa(int(v[swfUser]))
	}
	if v[swfProgram] >= 0 {
		q.Name = "program" + strconv.Itoa(int(v[swfProgram]))
	}
	r.w.Jobs = append(r.w.Jobs, Job{Request: q, Arrive: millis(v[swfSubmit]), Run: run})
	r.lines = append(r.lines, line)
}

func millis(seconds float64) int64 { return int64(math.Round(seconds * 1000)) }

// shape makes the machine, leaves out what it could not run, and puts the jobs
// into the trace's own time.
func (r *swfReader) shape() error {
	m, err := r.machine()
	if err != nil {
		return err
	}
	r.w.Machine = m
	width := m.Width()
	start := max(1, r.number("UnixStartTime")) * 1000
	kept := r.w.Jobs[:0]
	for i, j := range r.w.Jobs {
		if j.Width() > width || j.Request.Each.Memory > r.Memory {
			r.w.note("larger than the machine: left out", r.lines[i])
			continue
		}
		j.Arrive += start
		kept = append(kept, j)
	}
	r.w.Jobs = kept
	if len(kept) == 0 {
		e := core.Errorf(core.Invalid, "no job of the trace fits on %s", m)
		e.Where = r.Name
		return e.Do("give the machine with --nodes and --cpus")
	}
	return nil
}

// number is a value of the header, 0 if it is not known.
func (r *swfReader) number(key string) int64 {
	text, _, _ := strings.Cut(r.header[key], " ")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > farthest {
		return 0
	}
	return n
}

// largest is the most nodes, or processors of a node, of a machine.
const largest = 1 << 20

func (r *swfReader) machine() (Machine, error) {
	nodes, cpus := int64(r.Nodes), int64(r.CPUs)
	procs := r.number("MaxProcs")
	if procs == 0 {
		for _, j := range r.w.Jobs {
			procs = max(procs, int64(j.Request.Size))
		}
	}
	if nodes == 0 {
		nodes = r.number("MaxNodes")
		if cpus > 0 || nodes == 0 {
			nodes = (procs + max(1, cpus) - 1) / max(1, cpus)
		}
	}
	if cpus == 0 {
		cpus = (procs + nodes - 1) / nodes
	}
	if nodes < 1 || nodes > largest || cpus < 1 || cpus > largest {
		e := core.Errorf(core.Invalid, "a machine of %d nodes of %d processors cannot be simulated", nodes, cpus)
		e.Where = r.Name
		return Machine{}, e.Do("give the machine with --nodes and --cpus")
	}
	return Uniform(int(nodes), core.Resources{CPU: core.MilliCPU(cpus * 1000), Memory: r.Memory}), nil
}
