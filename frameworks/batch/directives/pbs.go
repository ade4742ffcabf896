package directives

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// pbs are qsub's options, those of Torque and of PBS Professional.
func pbs() []option {
	noMail := "no mail is sent; `capstan wait JOB` tells when it ends"
	return []option{
		{short: "N", takes: one, set: func(r *request, v string) error { r.name = v; return nil }},
		{short: "q", takes: one, set: (*request).setDestination},
		{short: "l", takes: one, set: (*request).setResources},
		{short: "a", takes: one, set: func(r *request, v string) (err error) { r.when.Begin, err = pbsWhen(v, r.sub.Now); return err }},
		{short: "A", takes: one, set: func(r *request, v string) error { r.user = v; return nil }},
		{short: "P", takes: one, set: func(r *request, v string) error { r.label("project", v); return nil }},
		{short: "h", set: func(r *request, _ string) error { r.when.Hold = true; return nil }},
		{short: "I", refuse: "a job cannot talk to a terminal; leave it out, and read `capstan logs -f`"},
		{short: "X", refuse: "no display is forwarded; leave it out"},
		{short: "j", takes: one, set: (*request).setJoin},
		{short: "o", takes: one, set: func(r *request, v string) error { r.stdout = r.pbsStream(v, ".o"); return nil }},
		{short: "e", takes: one, set: func(r *request, v string) error { r.stderr = r.pbsStream(v, ".e"); return nil }},
		{short: "k", takes: one, set: accept, warn: "streams are not kept on the nodes: they are in the job's log"},
		{short: "m", takes: one, set: (*request).setMail},
		{short: "M", takes: one, set: accept, warn: noMail},
		{short: "p", takes: one, set: (*request).setPBSPriority},
		{short: "r", takes: one, set: (*request).setRerun},
		{short: "t", takes: one, set: (*request).setArray, excludes: []string{"J"}},
		{short: "J", takes: one, set: (*request).setArray, excludes: []string{"t"}},
		{short: "v", takes: one, set: (*request).export},
		{short: "V", set: accept, warn: "your environment is not sent with the job; name the variables that it reads with -v"},
		{short: "W", takes: one, set: (*request).setAttributes},
		{short: "S", takes: one, set: func(r *request, v string) error { r.shell = withoutHost(v); return nil }},
		{short: "d", takes: one, set: (*request).setWorkdir},
		{short: "w", takes: one, set: (*request).setWorkdir},
		{short: "c", takes: one, set: (*request).setCheckpoint},
		{short: "n", set: accept, warn: "others may run on the job's nodes beside it: ask for all of their cores to have them alone"},
		{short: "z", set: accept},
	}
}

// setDestination reads queue[@server].
func (r *request) setDestination(v string) error {
	queue, server, _ := strings.Cut(v, "@")
	if server != "" {
		r.warn("the job goes to the host it is submitted to, not to %s", server)
	}
	r.queue = queue
	return nil
}

func (r *request) setJoin(v string) error {
	switch v {
	case "oe", "eo":
		r.merge = true
	case "n":
		r.merge = false
	default:
		return core.Errorf(core.Invalid, "%q says no way to join the streams", v).Do("one of oe, eo, n")
	}
	return nil
}

func (r *request) setMail(v string) error {
	if v != "n" && v != "p" {
		r.warn("no mail is sent; `capstan wait JOB` tells when it ends")
	}
	return nil
}

// setPBSPriority brings -1024 to 1023 onto 0 to 100.
func (r *request) setPBSPriority(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < -1024 || n > 1023 {
		return fmt.Errorf("%q is no priority from -1024 to 1023", v)
	}
	return r.priorityOf(usual + n*50/1023)
}

func (r *request) setRerun(v string) error {
	switch v {
	case "y":
		r.restart = "gang"
	case "n":
		r.restart = "none"
	default:
		return core.Errorf(core.Invalid, "%q is neither y nor n", v).Do("-r y runs the job again when an executor is lost")
	}
	return nil
}

func (r *request) setCheckpoint(v string) error {
	if v != "n" && v != "none" {
		r.warn("programs checkpoint by themselves: they get SIGTERM before they are ended")
	}
	return nil
}

// setAttributes reads -W: depend=…, and others by name.
func (r *request) setAttributes(v string) error {
	name, value, _ := strings.Cut(v, "=")
	switch name {
	case "depend":
		return r.depend(value)
	case "umask", "group_list", "block", "sandbox":
		r.warn("-W %s does nothing here", name)
		return nil
	case "stagein", "stageout":
		return core.Errorf(core.Invalid, "no files are staged by %s", name).Do("list what the job reads in spec.files of a document, and have it write to s3:// or to a file by -o")
	}
	e := core.Errorf(core.Invalid, "-W has no attribute %q", name).Do("there is: depend")
	if core.Nearest(name, []string{"depend"}) != "" {
		e = e.Do("did you mean depend?")
	}
	return e
}

// withoutHost is the path of host:path.
func withoutHost(v string) string {
	if host, file, ok := strings.Cut(v, ":"); ok && !strings.Contains(host, "/") && !strings.HasPrefix(v, "s3:") {
		return file
	}
	return v
}

var pbsVariable = regexp.MustCompile(`\$(\{(\w+)\}|\w+)|\^array_index\^`)

// pbsStream is where a stream goes: [host:]path, with PBS's own variables. In a
// folder it gets the name that PBS gives it.
func (r *request) pbsStream(v, suffix string) string {
	v = withoutHost(v)
	if strings.HasSuffix(v, "/") {
		return r.stream(escape(v) + "%x" + suffix + "%j")
	}
	letters := map[string]string{"PBS_JOBID": "%j", "PBS_JOBNAME": "%x", "PBS_ARRAYID": "%a", "PBS_ARRAY_INDEX": "%a", "^array_index^": "%a", "PBS_ARRAY_ID": "%A"}
	return r.stream(pbsVariable.ReplaceAllStringFunc(escape(v), func(s string) string {
		name := strings.Trim(s, "${}")
		if l, ok := letters[name]; ok {
			return l
		}
		return s
	}))
}
