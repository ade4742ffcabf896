package coordinate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// announce tells the copies of each other when who is ready has changed.
func (m *Machine) announce() {
	var names []wire.Name
	var text strings.Builder
	for _, c := range m.copies() {
		if c.readySince == 0 || c.Ending {
			continue
		}
		n := wire.Name{Copy: m.copyName(c.Ordinal), Address: c.status.Address, Ports: map[string]int{}}
		for i, p := range m.version(c.Version).body.Ports {
			if i < len(c.status.Ports) {
				n.Ports[p.Name] = c.status.Ports[i]
			}
		}
		names = append(names, n)
		fmt.Fprintf(&text, "%s %s %v;", m.gang(c), n.Address, c.status.Ports)
	}
	// Who came up since has not heard yet.
	for _, c := range m.copies() {
		if c.up && c.heard && c.number > 0 {
			text.WriteString(m.gang(c) + ",")
		}
	}
	if text.String() == m.names {
		return
	}
	m.names = text.String()
	for _, c := range m.copies() {
		if c.up && c.heard {
			m.emit(Tell{m.gang(c), wire.Order{Names: names, Known: true}})
		}
	}
}

// Progress is what there is to see.
func (m *Machine) Progress() core.Progress {
	ready := m.ready()
	p := core.Progress{
		Stages: []core.Stage{{Name: "ready", Tasks: m.Size, Done: min(ready, m.Size), Running: len(m.copies()) - ready}},
		Note:   m.note(),
		Tables: []core.Table{m.copyTable(), m.versionTable()},
	}
	for _, s := range m.Slots {
		p.Stages[0].Failed += s.Restarts
	}
	return p
}

func (m *Machine) note() string {
	v, r := m.version(m.Target), m.Rollout
	switch {
	case m.ending != "":
		return "ending: " + m.ending
	case r == nil && v.State == failed:
		return fmt.Sprintf("version %d failed: %s", v.Number, v.Note)
	case r == nil:
		return fmt.Sprintf("version %d", v.Number)
	case r.Paused:
		return fmt.Sprintf("the rollout of version %d is paused", v.Number)
	case r.Canary:
		return fmt.Sprintf("version %d is tried on %d of %d copies", v.Number, len(r.Canaries), m.Size)
	case r.Back:
		return fmt.Sprintf("going back to version %d", v.Number)
	}
	return fmt.Sprintf("rolling out version %d", v.Number)
}

func (m *Machine) copyTable() core.Table {
	t := core.Table{Title: "copies", Columns: []string{"COPY", "VERSION", "STATE", "RESTARTS", "NODE", "ADDRESS", "LAST FAILURE"}}
	for i, s := range m.Slots {
		for _, c := range s.Copies {
			t.Rows = append(t.Rows, []string{m.gang(c), strconv.Itoa(c.Version), m.state(c), strconv.Itoa(s.Restarts),
				dash(string(c.node)), dash(address(c.status)), dash(s.Last)})
		}
		if len(s.Copies) == 0 && i < m.Size && m.ending == "" {
			state := "waits for the copies before it"
			if m.now < s.RetryAt {
				state = fmt.Sprintf("pauses for %s", (time.Duration(s.RetryAt-m.now) * time.Millisecond).Round(time.Second))
			}
			t.Rows = append(t.Rows, []string{m.copyName(i), strconv.Itoa(s.Version), state, strconv.Itoa(s.Restarts), "-", "-", dash(s.Last)})
		}
	}
	return t
}

func address(s wire.Status) string {
	if s.Address == "" || len(s.Ports) == 0 { // without a network nobody reaches its ports
		return s.Address
	}
	return fmt.Sprintf("%s:%d", s.Address, s.Ports[0])
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return strings.SplitN(s, "\n", 2)[0]
}

// state is how a copy is, for people.
func (m *Machine) state(c *Copy) string {
	switch {
	case c.Ending:
		return "ending"
	case !c.up:
		return "waits for a place"
	case !c.heard:
		return "starting"
	case c.runAt > 0 && c.runAt-m.now < 500:
		return "starting"
	case c.runAt > 0:
		return fmt.Sprintf("pauses for %s", (time.Duration(max(0, c.runAt-m.now)) * time.Millisecond).Round(time.Second))
	case c.readySince > 0:
		return "ready"
	case c.status.Phase == wire.Running:
		return "not ready"
	}
	return "starting"
}

func (m *Machine) versionTable() core.Table {
	t := core.Table{Title: "versions", Columns: []string{"VERSION", "STATE", "DEPLOYED", "COMMAND", "NOTE"}}
	for _, v := range slices.Backward(m.Versions) {
		command := strings.Join(v.body.Exec, " ")
		if r := []rune(command); len(r) > 40 {
			command = string(r[:39]) + "…"
		}
		t.Rows = append(t.Rows, []string{strconv.Itoa(v.Number), v.State,
			time.UnixMilli(v.Since).UTC().Format(time.RFC3339), command, dash(v.Note)})
	}
	return t
}
