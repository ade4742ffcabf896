package directives

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
)

// slurm are sbatch's options.
func slurm() []option {
	return []option{
		{long: "job-name", short: "J", takes: one, usage: "the job's name", set: func(r *request, v string) error { r.name = v; return nil }},
		{long: "partition", short: "p", takes: one, usage: "the queue", set: (*request).setQueue},
		{long: "time", short: "t", takes: one, usage: "walltime: minutes, h:m:s, days-h:m:s", set: (*request).setTime},
		{long: "nodes", short: "N", takes: one, usage: "nodes", set: (*request).setNodes},
		{long: "ntasks", short: "n", takes: one, usage: "tasks", set: number(func(r *request) *int { return &r.tasks })},
		{long: "ntasks-per-node", takes: one, usage: "tasks on each node", set: number(func(r *request) *int { return &r.perNode })},
		{long: "cpus-per-task", short: "c", takes: one, usage: "cores of each task", set: number(func(r *request) *int { return &r.cpus })},
		{long: "mem", takes: one, usage: "memory of each node: 4G", set: (*request).setMemory, excludes: []string{"mem-per-cpu"}},
		{long: "mem-per-cpu", takes: one, usage: "memory of each core", set: (*request).setMemoryPerCPU, excludes: []string{"mem"}},
		{long: "array", short: "a", takes: one, usage: "an array: 0-99%10", set: (*request).setArray},
		{long: "dependency", short: "d", takes: one, usage: "afterok:ID, afternotok, afterany, aftercorr, singleton", set: (*request).depend},
		{long: "hold", short: "H", usage: "wait until somebody releases it", set: func(r *request, _ string) error { r.when.Hold = true; return nil }},
		{long: "begin", short: "b", takes: one, usage: "not before: 2026-12-01T08:00, now+1hour", set: (*request).setBegin},
		{long: "deadline", takes: one, usage: "ended by then", set: (*request).setDeadline},
		{long: "qos", short: "q", takes: one, usage: "kept as a label", set: (*request).setQOS},
		{long: "account", short: "A", takes: one, usage: "who is charged", set: func(r *request, v string) error { r.user = v; return nil }},
		{long: "nice", takes: maybe, bare: "100", usage: "a lower priority: 10 less for each 100", set: (*request).setNice, excludes: []string{"priority"}},
		{long: "priority", takes: one, usage: "0 to 100, or TOP", set: (*request).setPriority, excludes: []string{"nice"}},
		{long: "output", short: "o", takes: one, usage: "a file for stdout, with %j %A %a %t %N %x", set: func(r *request, v string) error { r.stdout = r.stream(v); return nil }},
		{long: "error", short: "e", takes: one, usage: "a file for stderr", set: (*request).setStderr},
		{long: "input", short: "i", takes: one, usage: "what the script reads", set: func(r *request, v string) error { r.stdin = r.stream(v); return nil }},
		{long: "chdir", short: "D", takes: one, usage: "the working directory", set: (*request).setWorkdir},
		{long: "export", takes: one, usage: "variables to send: NAME=VALUE,NAME", set: (*request).export},
		{long: "nodelist", short: "w", takes: one, usage: "only these nodes: n[1-3],m1", set: onHosts("LIKE")},
		{long: "exclude", short: "x", takes: one, usage: "not these nodes", set: onHosts("UNLIKE")},
		{long: "constraint", short: "C", takes: one, usage: "nodes with these labels: a&b", set: (*request).setFeatures},
		{long: "gres", takes: one, usage: "of each node: gpu:2", set: (*request).setGRES, excludes: []string{"gpus-per-node"}},
		{long: "gpus-per-node", takes: one, usage: "GPUs of each node", set: (*request).setGPUs, excludes: []string{"gres"}},
		{long: "licenses", short: "L", takes: one, usage: "licences of the cluster: matlab:2", set: (*request).setLicences},
		{long: "exclusive", takes: maybe, bare: "node", usage: "whole nodes, which is warned of", set: accept, warn: "others may run on the job's nodes beside it: ask for all of their cores to have them alone"},
		{long: "requeue", usage: "run again when an executor is lost", set: func(r *request, _ string) error { r.restart = "gang"; return nil }, excludes: []string{"no-requeue"}},
		{long: "no-requeue", usage: "fail when an executor is lost", set: func(r *request, _ string) error { r.restart = "none"; return nil }, excludes: []string{"requeue"}},
		{long: "signal", takes: one, usage: "a signal before the end: USR1@60", set: (*request).setSignal},
		{long: "switches", takes: one, usage: "in one rack, waiting so long for it: 1@10:00", set: (*request).setSwitches},
		{long: "mail-type", takes: one, usage: "no mail is sent", set: accept, warn: "no mail is sent; `capstan wait JOB` tells when it ends"},
		{long: "mail-user", takes: one, usage: "no mail is sent", set: accept, warn: "no mail is sent"},
		{long: "comment", takes: one, usage: "kept as a label", set: func(r *request, v string) error { r.label("comment", v); return nil }},
		{long: "wrap", takes: one, usage: "a command in place of a script", refuse: "--wrap stands on a command line only; write the command into the script"},
		{long: "parsable", usage: "print the id only", refuse: "--parsable stands on a command line only; `capstan submit --parsable`"},
		{long: "wait", short: "W", refuse: "a script cannot wait for itself; `capstan run` follows a job to its end"},
		{long: "test-only", refuse: "a script cannot ask for a trial; `capstan plan` is one"},
		{long: "reservation", takes: one, usage: "run on the nodes of this reservation", set: func(r *request, v string) error { r.reservation = v; return nil }},
		{long: "gpus", short: "G", takes: one, refuse: "GPUs are counted for each node; write --gpus-per-node"},
		{long: "het-group", takes: one, refuse: "a script has one kind of node; write a document with gang.roles"},
		{long: "x11", takes: maybe, refuse: "no display is forwarded; leave it out"},
	}
}

// accept honours an option by doing nothing.
func accept(*request, string) error { return nil }

func number(field func(*request) *int) func(*request, string) error {
	return func(r *request, v string) error {
		n, err := count(v)
		*field(r) = n
		return err
	}
}

func onHosts(operator string) func(*request, string) error {
	return func(r *request, v string) error {
		value, err := hosts(v)
		r.constraints = append(r.constraints, core.Constraint{Attribute: "host", Operator: operator, Value: value})
		return err
	}
}

func (r *request) setStderr(v string) error {
	r.stderr, r.apart = r.stream(v), true
	return nil
}

func (r *request) setQueue(v string) error {
	first, _, several := strings.Cut(v, ",")
	if several {
		return fmt.Errorf("a job waits in one queue, not in all of %q", v)
	}
	r.queue = first
	return nil
}

func (r *request) setTime(v string) (err error) { r.walltime, err = slurmTime(v); return err }

func (r *request) setNodes(v string) error {
	least, most, ranged := strings.Cut(v, "-")
	if !ranged {
		most = least
	}
	a, err1 := count(least)
	b, err2 := count(most)
	if err1 != nil || err2 != nil || a > b {
		return fmt.Errorf("%q is no number of nodes such as 4 or 2-4", v)
	}
	if r.nodes = a; b > a {
		r.warn("the job gets %d nodes, the least that it asks for: a gang does not change its size", a)
	}
	return nil
}

func (r *request) setMemory(v string) error {
	if v == "0" {
		return core.Errorf(core.Invalid, "all of a node's memory cannot be asked for").Do("name an amount, such as --mem=16G")
	}
	n, err := memory(v, 1<<20)
	r.remember(&r.memory, n)
	return err
}

func (r *request) setMemoryPerCPU(v string) error {
	n, err := memory(v, 1<<20)
	r.remember(&r.perCPU, n)
	return err
}

func (r *request) setArray(v string) error {
	a, err := core.ParseArray(v)
	if err == nil {
		r.array = a.String()
	}
	return err
}

func (r *request) setBegin(v string) (err error) {
	r.when.Begin, err = slurmWhen(v, r.sub.Now)
	return err
}

func (r *request) setDeadline(v string) (err error) {
	r.when.Deadline, err = slurmWhen(v, r.sub.Now)
	return err
}

func (r *request) setQOS(v string) error {
	r.label("qos", v)
	r.warn("a quality of service is kept as the label qos; limits belong to queues here, and urgency is --priority")
	return nil
}

// usual is the priority of a job that asks for none.
const usual = 50

func (r *request) setNice(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < -math.MaxInt32 || n > math.MaxInt32 {
		return fmt.Errorf("%q is no number", v)
	}
	return r.priorityOf(usual - n/10)
}

func (r *request) priorityOf(n int) error {
	n = max(0, min(100, n))
	r.priority = &n
	return nil
}

func (r *request) setPriority(v string) error {
	if strings.EqualFold(v, "TOP") {
		return r.priorityOf(100)
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 100 {
		return core.Errorf(core.Invalid, "%q is no priority", v).Do("priorities go from 0 to 100, and 50 is the usual one")
	}
	return r.priorityOf(n)
}

func (r *request) setWorkdir(v string) error {
	if !path.IsAbs(v) {
		v = path.Join(r.sub.Dir, v)
	}
	r.workdir = path.Clean(v)
	return nil
}

func (r *request) setFeatures(v string) error {
	v = strings.Trim(v, `"'`)
	if strings.ContainsAny(v, "|*[]()") {
		return core.Errorf(core.Invalid, "%q is more than a list of labels", v).Do("join the labels that nodes must have with &; for more write a document with gang.constraints")
	}
	for _, f := range strings.FieldsFunc(v, func(c rune) bool { return c == '&' || c == ',' }) {
		r.constraints = append(r.constraints, core.Constraint{Attribute: f, Operator: "LIKE", Value: ".*"})
	}
	return nil
}

func (r *request) setGRES(v string) error {
	sums, kinds, err := amounts(v)
	if err != nil {
		return err
	}
	for name, n := range sums {
		r.need(name, n)
	}
	for _, k := range kinds {
		r.warn("which kind of it (%s) is not looked at; label the nodes and write -C", k)
	}
	return nil
}

// need asks for generic resources of each node.
func (r *request) need(name string, n int64) {
	if r.generic == nil {
		r.generic = map[string]int64{}
	}
	r.generic[strings.TrimPrefix(name, "gres/")] = n
}

func (r *request) setGPUs(v string) error { return r.setGRES("gpu:" + v) }

func (r *request) setLicences(v string) error {
	if strings.ContainsAny(v, "|;") {
		return core.Errorf(core.Invalid, "one of several licences (| and ;) cannot be asked for").Do("name all with commas")
	}
	sums, _, err := amounts(v)
	r.licences = sums
	return err
}

// setSignal reads [{R|B}:]signal[@seconds].
func (r *request) setSignal(v string) error {
	name, seconds, timed := strings.Cut(v, "@")
	if who, rest, ok := strings.Cut(name, ":"); ok {
		if strings.Trim(who, "RB") != "" {
			return fmt.Errorf("%q is none of R: and B:", who+":")
		}
		name = rest
	}
	before := 60
	if timed {
		var err error
		if before, err = strconv.Atoi(seconds); err != nil || before < 0 || before > 65535 {
			return fmt.Errorf("%q is no number of seconds up to 65535", seconds)
		}
	}
	name, err := signalName(name)
	r.signal, r.before = name, time.Duration(before)*time.Second
	return err
}

// signalName reads USR1, SIGUSR1 or 10.
func signalName(s string) (string, error) {
	numbers := map[string]string{"1": "HUP", "2": "INT", "3": "QUIT", "10": "USR1", "12": "USR2", "14": "ALRM", "15": "TERM", "18": "CONT", "23": "URG", "24": "XCPU"}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, ok := numbers[s]; ok {
		name = n
	}
	for _, known := range spec.Signals {
		if name == known {
			return name, nil
		}
	}
	return "", core.Errorf(core.Invalid, "no task can be told with signal %q", s).Do("one of " + strings.Join(spec.Signals, ", "))
}

// setSwitches reads count[@time].
func (r *request) setSwitches(v string) error {
	n, wait, timed := strings.Cut(v, "@")
	if _, err := count(n); err != nil {
		return err
	}
	longest := 300 * time.Second // sbatch's max_switch_wait
	if timed {
		var err error
		if longest, err = slurmTime(wait); err != nil {
			return err
		}
	}
	if n != "1" {
		r.warn("a gang lies in one rack or in any; more than one switch is no limit")
		return nil
	}
	r.placement.Pack, r.placement.Preferred, r.placement.Wait = "rack", true, core.Duration(longest)
	return nil
}
