package directives

import (
	"strings"

	"github.com/capstan-run/capstan/core"
)

// depend reads --dependency and -W depend: "afterok:1:2,afterany:3", "singleton".
func (r *request) depend(list string) error {
	if strings.Contains(list, "?") {
		return core.Errorf(core.Invalid, "any of several dependencies (?) cannot be waited for").Do("write them with commas: all are waited for")
	}
	ended := map[string]core.Dependency{
		"afterok": {Ended: "ok"}, "afternotok": {Ended: "failed"}, "afterany": {Ended: "any"}, "aftercorr": {Ended: "ok", Each: true},
		"afterokarray": {Ended: "ok"}, "afternotokarray": {Ended: "failed"}, "afteranyarray": {Ended: "any"}, // of Torque
	}
	var names []string
	for _, part := range strings.Split(list, ",") {
		kind, jobs, _ := strings.Cut(strings.TrimSpace(part), ":")
		if kind == "singleton" && jobs == "" {
			r.when.Singleton = true
			continue
		}
		d, ok := ended[kind]
		if !ok {
			for _, n := range []string{"afterok", "afternotok", "afterany", "aftercorr", "singleton"} {
				names = append(names, n)
			}
			e := core.Errorf(core.Invalid, "no job can depend on others by %q", kind).Do("one of " + strings.Join(names, ", "))
			if s := core.Nearest(kind, names); s != "" {
				e = e.Do("did you mean " + s + "?")
			}
			return e
		}
		if jobs == "" {
			return core.Errorf(core.Invalid, "%s names no job", kind).Do("write " + kind + ":ID, with the id that `capstan submit` printed")
		}
		for _, id := range strings.Split(jobs, ":") {
			if err := checkID(id); err != nil {
				return err
			}
			d.Job = core.JobID(id)
			r.when.After = append(r.when.After, d)
		}
	}
	return nil
}

func checkID(id string) error {
	if id == "" || len(id) > 63 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return core.Errorf(core.Invalid, "%q is no job's id", id).Do("an id is what `capstan submit` printed, such as train-x7k2m")
	}
	return nil
}
