package directives

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
)

// Submission is a script, and how it is submitted.
type Submission struct {
	Source string   // the script's name, for messages and as the job's
	Script []byte   // with its first line #!
	Args   []string // of the script
	Flags  []Flag   // of the command line, which override directives
	Dir    string   // absolute; streams with relative names are files in it
	Now    time.Time
	// Env is the submitter's environment.
	Env func(name string) (value string, ok bool)
}

// Flag is one of sbatch's options on a command line.
type Flag struct {
	Name  string // "time", without dashes
	Value string
}

// Option describes a flag that [Document] takes.
type Option struct {
	Name, Short string
	Takes       bool   // a value
	Bare        string // the value of one that may be written without
	Usage       string
}

// Options are the flags that Document takes: sbatch's.
func Options() []Option {
	var list []Option
	for _, o := range slurm() {
		if o.refuse == "" {
			list = append(list, Option{Name: o.long, Short: o.short, Takes: o.takes != none, Bare: o.bare, Usage: o.usage})
		}
	}
	return list
}

// Wrap is a script that runs one command line in a shell, as sbatch --wrap.
func Wrap(command string) []byte { return []byte("#!/bin/sh\n" + command + "\n") }

// Document makes a Batch document, as JSON, of a script. Its faults come all at
// once, as an *core.Error of kind Invalid with Diagnostics.
func Document(s Submission) (doc []byte, warnings []core.Diagnostic, err error) {
	if s.Env == nil {
		s.Env = func(string) (string, bool) { return "", false }
	}
	found, faults, warnings, qsub := read(s.Script)
	flags, bad := s.flags()
	faults = append(faults, bad...)
	settings, bad := agree(found, flags)
	faults = append(faults, bad...)
	r := &request{sub: &s, warnings: warnings}
	for _, set := range settings {
		if d := r.apply(set); d != nil {
			faults = append(faults, *d)
		}
	}
	d, err := r.document(qsub)
	if err != nil {
		faults = append(faults, core.Diagnostic{Message: err.Error(), Remedy: "change one of the numbers"})
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b core.Diagnostic) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		faults = slices.Compact(faults)
		noun := "1 fault"
		if len(faults) != 1 {
			noun = fmt.Sprintf("%d faults", len(faults))
		}
		return nil, nil, &core.Error{Kind: core.Invalid, What: "what the script asks for has " + noun, Where: s.Source, Diagnostics: faults}
	}
	doc, err = json.MarshalIndent(d, "", "  ")
	return doc, r.warnings, err
}

// flags finds the options of a command line's flags.
func (s *Submission) flags() (found []setting, faults []core.Diagnostic) {
	d := dialect{name: "sbatch", options: slurm()}
	for _, f := range s.Flags {
		o := d.long(f.Name)
		if o == nil {
			faults = append(faults, core.Diagnostic{Path: "--" + f.Name, Message: "sbatch has no such option", Remedy: d.nearest(f.Name)})
			continue
		}
		found = append(found, setting{option: o, value: f.Value, place: core.Diagnostic{Path: o.name()}, flag: true})
	}
	return found, faults
}

// agree puts flags behind directives and finds contradictions (law D3).
func agree(directives, flags []setting) (list []setting, faults []core.Diagnostic) {
	for _, s := range directives {
		overridden := false
		for _, f := range flags {
			for _, name := range f.excludes {
				overridden = overridden || s.is(name)
			}
		}
		if !overridden {
			list = append(list, s)
		}
	}
	for _, level := range [][]setting{list, flags} {
		faults = append(faults, contradictions(level)...)
	}
	return append(list, flags...), faults
}

func contradictions(list []setting) (faults []core.Diagnostic) {
	for i, s := range list {
		for _, o := range list[:i] {
			for _, name := range s.excludes {
				if !o.is(name) {
					continue
				}
				d := s.place
				d.Message = fmt.Sprintf("%s contradicts %s", s.name(), o.name())
				if o.place.Line > 0 {
					d.Message += fmt.Sprintf(" of line %d", o.place.Line)
				}
				d.Remedy = "keep one of them"
				faults = append(faults, d)
			}
		}
	}
	return faults
}

// apply puts one setting into the request, and answers the fault it has.
func (r *request) apply(s setting) *core.Diagnostic {
	r.at = s.place
	d := s.place
	if s.refuse != "" {
		d.Message, d.Remedy, _ = strings.Cut(s.refuse, "; ")
		return &d
	}
	if err := s.set(r, s.value); err != nil {
		d.Message = err.Error()
		var e *core.Error
		if errors.As(err, &e) {
			d.Remedy = e.Remedy
		}
		return &d
	}
	if s.warn != "" {
		r.warn("%s", s.warn)
	}
	return nil
}

// document is the form of what Document writes.
type document struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Gang       core.Gang `json:"gang"`
	Spec       spec.Body `json:"spec"`
}

// metadata is core.Metadata, of which a priority of 0 is written.
type metadata struct {
	Name     string            `json:"name"`
	Queue    string            `json:"queue,omitempty"`
	Priority *int              `json:"priority,omitempty"`
	Walltime core.Duration     `json:"walltime,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	User     string            `json:"user,omitempty"`
	When     core.When         `json:"when,omitzero"`
	Array    string            `json:"array,omitempty"`

	Reservation string `json:"reservation,omitempty"`
}

func (r *request) document(qsub bool) (*document, error) {
	nodes, slots, err := r.gangSize()
	if err != nil {
		return nil, err
	}
	if r.mpi > 0 { // select says cores of a chunk, and apart from it processes
		slots = 1
	}
	cpus := slots * max(1, r.cpus)
	d := &document{APIVersion: "capstan/v1", Kind: spec.Kind}
	name, given := r.jobName()
	d.Metadata = metadata{
		Name: name, Queue: r.queue, Priority: r.priority, Walltime: core.Duration(r.walltime), Labels: r.labels,
		User: r.user, When: r.when, Array: r.array, Reservation: r.reservation,
	}
	if given != name {
		r.setenv("SLURM_JOB_NAME", given)
		r.setenv("PBS_JOBNAME", given)
	}
	d.Gang = core.Gang{
		Size: nodes, CPU: core.MilliCPU(cpus) * 1000, Memory: r.memoryOf(nodes, slots, cpus), Placement: r.placement,
		Generic: r.generic, Licences: r.licences, Constraints: r.constraints, Restart: r.restart,
	}
	if nodes == 1 {
		d.Gang.Placement = core.PlacementAsk{}
	} else if !r.pack {
		d.Gang.Placement.PerHost = 1
	}
	d.Spec = spec.Body{
		Script: string(r.sub.Script), Args: r.sub.Args, Shell: r.shell, Per: "gang", Env: r.env, Workdir: r.workdir,
		Stdin: r.stdin, Stdout: r.stdout, Stderr: r.stderr,
		Signal: spec.Signal{Name: r.signal, Before: core.Duration(r.before)},
	}
	if n := max(slots, r.mpi); n > 1 {
		d.Spec.Slots = n
	}
	r.streams(&d.Spec, qsub)
	if r.walltime == 0 {
		d.Spec.Signal.Before = 0 // there is no end to be near
	}
	return d, nil
}

// streams joins stdout and stderr, where the dialect of the script does or the
// script asks for it, and keeps those of an array apart.
func (r *request) streams(b *spec.Body, qsub bool) {
	if r.merge && b.Stdout == "" {
		b.Stdout = b.Stderr
	}
	if r.merge || !qsub && !r.apart {
		b.Stderr = b.Stdout
	}
	if r.array == "" {
		return
	}
	merged := b.Merged()
	for _, s := range []*string{&b.Stdout, &b.Stderr} {
		if *s != "" && !strings.ContainsAny(spec.Letters(*s), "ajJ") {
			*s += ".%a"
			r.at = core.Diagnostic{}
			r.warn("all elements of the array would write to one file: the index is added, %s", *s)
		}
		if merged {
			b.Stderr = b.Stdout
			break
		}
	}
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// jobName is the job's name as Capstan takes it, and as it was given.
func (r *request) jobName() (name, given string) {
	given = r.name
	if given == "" {
		base := path.Base(r.sub.Source)
		given = strings.TrimSuffix(base, path.Ext(base))
	}
	name = strings.Trim(notName.ReplaceAllString(strings.ToLower(given), "-"), "-")
	if name = strings.TrimRight(name[:min(len(name), 40)], "-"); name == "" {
		name = "script"
	}
	return name, given
}
