package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/queue"
)

// policy is what people told the scheduler. It outlives the host, as one value
// in the journal.
type policy struct {
	Document     string                 `json:"document,omitempty"` // of the queues, as it was given
	Queues       queuesDocument         `json:"queues,omitzero"`
	Drains       map[core.NodeID]int64  `json:"drains,omitempty"` // by node: the deadline, 0 for none
	Reservations map[string]reservation `json:"reservations,omitempty"`
}

// reservation keeps nodes from Start to End, in Unix milliseconds.
type reservation struct {
	Start int64         `json:"start"`
	End   int64         `json:"end"`
	Nodes []core.NodeID `json:"nodes"`
}

// policyKey is where the journal keeps the policy.
const policyKey = "policy"

func (p *policy) queues() queue.Config {
	d := p.Queues
	return queue.Config{Default: d.Default, Queues: d.Queues,
		HalfLife: time.Duration(d.HalfLife).Milliseconds(), Guard: time.Duration(d.Guard).Milliseconds()}
}

// serves is the queue that serves a job which names one: it, or the default.
func (p *policy) serves(name string) string {
	if slices.ContainsFunc(p.Queues.Queues, func(q queue.Queue) bool { return q.Name == name }) {
		return name
	}
	return cmp.Or(p.Queues.Default, "default")
}

// clone shares nothing with p that changes.
func (p policy) clone() policy {
	drains, reservations := map[core.NodeID]int64{}, map[string]reservation{}
	for id, until := range p.Drains {
		drains[id] = until
	}
	for name, r := range p.Reservations {
		reservations[name] = r
	}
	p.Drains, p.Reservations = drains, reservations
	return p
}

func (h *Host) loadPolicy(ctx context.Context) error {
	b, err := h.journal.Meta(ctx, policyKey)
	if core.KindOf(err) == core.NotFound {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &h.policy)
	}
	if err != nil {
		return fmt.Errorf("read the scheduler's policy: %w", err)
	}
	return nil
}

// applyPolicy tells the scheduler of a policy that was in force before. h.mu is
// held.
func (h *Host) applyPolicy() {
	at := now().UnixMilli()
	h.step(gang.Supply{Now: at, Licences: h.policy.Queues.Licences})
	for _, id := range sortedKeys(h.policy.Drains) {
		h.step(gang.NodeDrain{Now: at, ID: id, Drain: true, Until: h.policy.Drains[id]})
	}
	for _, name := range sortedKeys(h.policy.Reservations) {
		r := h.policy.Reservations[name]
		h.step(gang.Reserve{Now: at, Name: name, Start: r.Start, End: r.End, Nodes: r.Nodes})
	}
}

// drainAdopted tells of the deadlines of drains once more: who runs on such a
// node was not known when they were told first. h.mu is held.
func (h *Host) drainAdopted() {
	for _, id := range sortedKeys(h.policy.Drains) {
		if until := h.policy.Drains[id]; until != 0 {
			h.step(gang.NodeDrain{Now: now().UnixMilli(), ID: id, Drain: true, Until: until})
		}
	}
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// setPolicy makes a change of the policy durable, then tells the scheduler.
func (h *Host) setPolicy(ctx context.Context, change func(*policy) error, events ...gang.Event) error {
	h.deciding.Lock()
	defer h.deciding.Unlock()
	h.mu.Lock()
	next := h.policy.clone()
	h.mu.Unlock()
	if err := change(&next); err != nil {
		return err
	}
	b, err := json.Marshal(&next)
	if err != nil {
		return err
	}
	if err := h.journal.Commit(ctx, journal.Tx{Meta: map[string][]byte{policyKey: b}}); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.policy = next
	for _, e := range events {
		h.step(e)
	}
	return nil
}

// SetQueues replaces the queues and the licences. It is a conflict if something
// waits or runs in a queue that would be gone.
func (h *Host) SetQueues(ctx context.Context, doc []byte, source string) error {
	d, err := parseQueues(doc, source)
	if err != nil {
		return err
	}
	at := now().UnixMilli()
	return h.setPolicy(ctx, func(p *policy) error {
		p.Document, p.Queues = string(doc), d
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.sched.CheckConfigure(p.queues())
	}, gang.Configure{Now: at, Queues: (&policy{Queues: d}).queues()}, gang.Supply{Now: at, Licences: d.Licences})
}

// Drain stops new placements on a node, or opens it again. What is left there
// at until, Unix milliseconds and not 0, moves away.
func (h *Host) Drain(ctx context.Context, id core.NodeID, undo bool, until int64) (gang.NodeView, error) {
	if _, err := h.nodeView(id); err != nil {
		return gang.NodeView{}, err
	}
	at := now().UnixMilli()
	events := []gang.Event{gang.NodeDrain{Now: at, ID: id, Drain: !undo, Until: until}}
	if undo {
		events = append(events, gang.NodeClear{Now: at, ID: id})
	}
	err := h.setPolicy(ctx, func(p *policy) error {
		if undo {
			delete(p.Drains, id)
		} else {
			p.Drains[id] = until
		}
		return nil
	}, events...)
	if err != nil {
		return gang.NodeView{}, err
	}
	if undo || until == 0 {
		h.mu.Lock()
		h.stay(id)
		h.mu.Unlock()
	}
	return h.nodeView(id)
}

func (h *Host) nodeView(id core.NodeID) (gang.NodeView, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var known []string
	for _, n := range h.sched.NodeViews() {
		if n.ID == id {
			return n, nil
		}
		known = append(known, string(n.ID))
	}
	return gang.NodeView{}, core.Errorf(core.NotFound, "no node %q", id).Do("there are: " + strings.Join(known, ", "))
}

// Reserve keeps nodes for the jobs that name the reservation.
func (h *Host) Reserve(ctx context.Context, name string, r reservation) error {
	at := now().UnixMilli()
	switch {
	case name == "":
		return core.Errorf(core.Invalid, "a reservation needs a name")
	case r.End <= max(r.Start, at):
		return core.Errorf(core.Invalid, "reservation %s ends before it begins, or in the past", name).Do("give an end that is still to come")
	case len(r.Nodes) == 0:
		return core.Errorf(core.Invalid, "reservation %s names no node", name).Do("`capstan node list` shows the nodes")
	}
	for _, id := range r.Nodes {
		if _, err := h.nodeView(id); err != nil {
			return err
		}
	}
	return h.setPolicy(ctx, func(p *policy) error { p.Reservations[name] = r; return nil },
		gang.Reserve{Now: at, Name: name, Start: r.Start, End: r.End, Nodes: r.Nodes})
}

// Unreserve ends a reservation.
func (h *Host) Unreserve(ctx context.Context, name string) error {
	return h.setPolicy(ctx, func(p *policy) error {
		if _, ok := p.Reservations[name]; !ok {
			return core.Errorf(core.NotFound, "no reservation %q", name).Do("`capstan reservation list` shows them")
		}
		delete(p.Reservations, name)
		return nil
	}, gang.Unreserve{Now: now().UnixMilli(), Name: name})
}
