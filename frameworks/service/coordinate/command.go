package coordinate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
)

// Verbs are the commands a running service takes.
//
//	deploy    a spec    → {"version": 3, "changed": true}
//	rollback  {"to": 2} → {"version": 2, "changed": true}; without to, the good version before
//	scale     {"size": 5}
//	pause     the rollout stays as it is
//	resume    and goes on
func Verbs() []string { return []string{core.VerbDeploy, "rollback", "scale", "pause", "resume"} }

// Result is what a command answers.
type Result struct {
	Version int  `json:"version,omitempty"`
	Size    int  `json:"size,omitempty"`
	Changed bool `json:"changed"`
}

// command does what was asked, once: one that comes again is answered again.
func (m *Machine) command(c core.Command) {
	a := core.Answer{Number: c.Number}
	switch {
	case c.Number == m.Command && m.Answer != nil:
		a.Result = m.Answer
	case c.Number <= m.Command:
		a.Result = json.RawMessage(`{"changed": false}`)
	default:
		result, err := m.obey(c)
		if err != nil {
			a.Refused = core.AsError(err)
			break
		}
		b, err := json.Marshal(result)
		if err != nil {
			panic("coordinate: result does not marshal: " + err.Error())
		}
		m.Command, m.Answer, a.Result = c.Number, b, b
	}
	m.emit(Reply{a})
}

func (m *Machine) obey(c core.Command) (Result, error) {
	var args struct{ To, Size int }
	if c.Verb != core.VerbDeploy && len(c.Args) > 0 {
		d := json.NewDecoder(bytes.NewReader(c.Args))
		d.DisallowUnknownFields()
		if err := d.Decode(&args); err != nil {
			return Result{}, core.Errorf(core.Invalid, "the arguments of %s: %v", c.Verb, err)
		}
	}
	switch c.Verb {
	case core.VerbDeploy:
		return m.deploy(c.Args)
	case "rollback":
		return m.rollback(args.To)
	case "scale":
		return m.scale(args.Size)
	case "pause", "resume":
		return m.hold(c.Verb == "pause")
	}
	return Result{}, core.Errorf(core.Invalid, "a service takes no command %q", c.Verb)
}

// deploy makes a version of a spec, unless only the number of copies differs.
func (m *Machine) deploy(doc []byte) (Result, error) {
	var s core.Spec
	if err := json.Unmarshal(doc, &s); err != nil {
		return Result{}, core.Errorf(core.Invalid, "the spec: %v", err)
	}
	body, err := spec.Of(&s)
	if err != nil {
		return Result{}, err
	}
	resized := s.Gang.Size != m.Size
	m.Size = s.Gang.Size
	now := m.version(m.Target)
	if same(now.Spec, s) && now.State != failed {
		return Result{Version: m.Target, Size: m.Size, Changed: resized}, nil
	}
	n := m.Versions[len(m.Versions)-1].Number + 1
	m.Versions = append(m.Versions, &Version{Number: n, Spec: s, Since: m.now, body: body})
	m.roll(n)
	m.trim()
	m.say("version %d is deployed", n)
	return Result{Version: n, Size: m.Size, Changed: true}, nil
}

// same reports whether two specs differ in nothing but the number of copies.
func same(a, b core.Spec) bool {
	a.Gang.Size, b.Gang.Size = 0, 0
	return bytes.Equal(canonical(a), canonical(b))
}

// canonical is a spec as JSON with sorted keys.
func canonical(s core.Spec) []byte {
	b, err := json.Marshal(s)
	var v any
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err == nil {
		b, err = json.Marshal(v)
	}
	if err != nil {
		panic("coordinate: spec does not marshal: " + err.Error())
	}
	return b
}

func (m *Machine) rollback(to int) (Result, error) {
	if to == 0 {
		if to = m.before(); to == 0 {
			return Result{}, core.Errorf(core.Conflict, "there is no good version before %d", m.Target).
				Do("`capstan service history " + string(m.job) + "` shows the versions there are")
		}
	}
	if !m.known(to) {
		return Result{}, core.Errorf(core.NotFound, "there is no version %d", to).
			Do("`capstan service history " + string(m.job) + "` shows the versions there are")
	}
	if to == m.Target && m.version(to).State != failed {
		return Result{Version: to, Size: m.Size}, nil
	}
	m.roll(to)
	m.say("going back to version %d", to)
	return Result{Version: to, Size: m.Size, Changed: true}, nil
}

// before is the last version before the target that was good; 0 if none was.
func (m *Machine) before() int {
	if m.Good != 0 && m.Good != m.Target {
		return m.Good
	}
	for i := len(m.Versions) - 1; i >= 0; i-- {
		if v := m.Versions[i]; v.Number < m.Target && v.State == good {
			return v.Number
		}
	}
	return 0
}

func (m *Machine) scale(size int) (Result, error) {
	if size < 0 || size > spec.MaxCopies {
		return Result{}, core.Errorf(core.Invalid, "%d is no number of copies", size).Do(fmt.Sprintf("give one from 0 to %d", spec.MaxCopies))
	}
	changed := size != m.Size
	m.Size = size
	if m.Rollout != nil {
		m.Rollout.Progress = m.now
	}
	m.say("scaled to %d copies", size)
	return Result{Version: m.Target, Size: size, Changed: changed}, nil
}

func (m *Machine) hold(pause bool) (Result, error) {
	r := m.Rollout
	if r == nil {
		return Result{}, core.Errorf(core.Conflict, "version %d is not being rolled out", m.Target).
			Do("`capstan status " + string(m.job) + "` shows the copies")
	}
	changed := r.Paused != pause
	r.Paused = pause
	if !pause {
		r.Progress = m.now
	}
	return Result{Version: m.Target, Size: m.Size, Changed: changed}, nil
}
