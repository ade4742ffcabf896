package directives

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// resources are what -l knows.
var resources = []string{
	"nodes", "select", "walltime", "mem", "pmem", "ncpus", "procs", "ngpus", "gpus", "place", "nice", "feature", "host", "vmem", "pvmem", "cput",
}

// setResources reads -l: a list of name=value, or nodes and select with what
// each of them is to have.
func (r *request) setResources(v string) error {
	for _, part := range strings.Split(v, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return core.Errorf(core.Invalid, "%q is no resource", part).Do("-l name=value, such as -l nodes=2:ppn=8,walltime=1:00:00")
		}
		if err := r.setResource(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (r *request) setResource(name, v string) (err error) {
	switch name {
	case "nodes":
		err = r.setChunks(v, "ppn")
	case "select":
		err = r.setChunks(v, "ncpus")
	case "walltime":
		r.walltime, err = pbsTime(v)
	case "mem":
		n, merr := memory(v, 1)
		r.remember(&r.total, n)
		err = merr
	case "pmem":
		n, merr := memory(v, 1)
		r.remember(&r.perTask, n)
		err = merr
	case "ncpus":
		r.cpus, err = count(v)
	case "procs":
		r.tasks, err = count(v)
	case "ngpus", "gpus":
		err = r.setGPUs(v)
	case "place":
		r.setPlace(v)
	case "nice":
		err = r.setNice(v)
	case "feature":
		err = r.setFeatures(strings.ReplaceAll(v, ":", "&"))
	case "host":
		err = onHosts("LIKE")(r, v)
	case "vmem", "pvmem", "cput":
		r.warn("-l %s is no limit here; mem, pmem and walltime are", name)
	default:
		e := core.Errorf(core.Invalid, "there is no such resource").Do("there are: " + strings.Join(resources, " "))
		if s := core.Nearest(name, resources); s != "" {
			e = e.Do("did you mean " + s + "?")
		}
		err = e
	}
	return err
}

// setChunks reads 2:ppn=8:gpus=1:bigmem, or n1+n2:ppn=4. per is how the chunk's
// cores are called.
func (r *request) setChunks(v, per string) error {
	var names []string
	for _, chunk := range strings.Split(v, "+") {
		fields := strings.Split(chunk, ":")
		n, err := count(fields[0])
		if err != nil {
			names = append(names, fields[0])
			n = len(names)
		} else if strings.Contains(v, "+") {
			return core.Errorf(core.Invalid, "nodes of several kinds are no directive's").Do("write a document with gang.roles")
		}
		r.nodes = n
		for _, f := range fields[1:] {
			if err := r.setChunk(f, per); err != nil {
				return err
			}
		}
	}
	if len(names) > 0 {
		return onHosts("LIKE")(r, strings.Join(names, ","))
	}
	return nil
}

func (r *request) setChunk(f, per string) (err error) {
	name, value, valued := strings.Cut(f, "=")
	switch {
	case !valued:
		err = r.setFeatures(name)
	case name == per:
		n, cerr := count(value)
		if per == "ppn" {
			r.perNode, err = n, cerr
		} else {
			r.cpus, err = n, cerr
		}
	case name == "mem":
		n, merr := memory(value, 1)
		r.remember(&r.memory, n)
		err = merr
	case name == "mpiprocs":
		r.mpi, err = count(value)
	case name == "ompthreads":
		if _, err = count(value); err == nil {
			r.setenv("OMP_NUM_THREADS", value)
		}
	case name == "gpus", name == "ngpus":
		err = r.setGPUs(value)
	case name == "host":
		err = onHosts("LIKE")(r, value)
	default:
		known := []string{per, "mem", "mpiprocs", "ompthreads", "ngpus", "gpus", "host"}
		e := core.Errorf(core.Invalid, "a node has no %q", name).Do("there are: " + strings.Join(known, " "))
		if s := core.Nearest(name, known); s != "" {
			e = e.Do("did you mean " + s + "?")
		}
		err = e
	}
	return err
}

// setPlace reads scatter, pack or free, with :excl or :shared.
func (r *request) setPlace(v string) {
	for _, word := range strings.Split(v, ":") {
		switch word {
		case "pack":
			r.pack = true
		case "scatter", "free", "shared", "vscatter": // nodes of a job are apart
		default:
			r.warn("place=%s does nothing here", word)
		}
	}
}
