package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Schema is the JSON Schema (2020-12) of a [Body]. The caller owns the copy.
func Schema() json.RawMessage { return bytes.Clone(schema) }

// Example is a commented document for `capstan init`.
func Example() string { return example }

// Ships lists the places in a body that may name a local file to ship with the
// job, in the form of core.Description.Ships.
func Ships() []string { return []string{"exec.0", "files.*!"} }

// Of reads the body of a document. Where no two copies may share a node, a new
// one beside the old might never find a place: the default of maxSurge is 0.
func Of(s *core.Spec) (*Body, error) {
	b, err := Parse(s.Body)
	if err != nil {
		return nil, err
	}
	apart := func(c core.Constraint) bool { return c.Operator == "UNIQUE" || c.Operator == "MAX_PER" }
	if !b.Update.MaxSurge.Given && (len(s.Gang.Ports) > 0 || slices.ContainsFunc(s.Gang.Constraints, apart)) {
		b.Update.MaxSurge = Amount{Given: true}
	}
	return b, nil
}

// Parse reads a body and fills in the defaults. An unknown field or a wrong
// type is a *core.Error of kind Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not a Service body",
			Where: "spec", Remedy: "compare it with `capstan schema Service`", Err: err}
	}
	b.fill()
	return b, nil
}

func orElse[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

func pointer[T any](v **T, def T) {
	if *v == nil {
		*v = &def
	}
}

func (b *Body) fill() {
	orElse(&b.StartWithin, core.Duration(time.Minute))
	for _, p := range []*Probe{b.Ready, b.Health} {
		if p != nil {
			p.fill(b.Ports)
		}
	}
	if b.Health != nil {
		orElse(&b.Health.Grace, b.StartWithin)
	}
	pointer(&b.Restart.InPlace, 3)
	orElse(&b.Restart.Backoff, core.Duration(time.Second))
	orElse(&b.Restart.Max, core.Duration(time.Minute))
	orElse(&b.Restart.Decay, core.Duration(time.Minute))
	b.Update.fill(b.Ready == nil && b.Health == nil)
	drain := core.Duration(0)
	if len(b.Ports) > 0 {
		drain = core.Duration(time.Second)
	}
	pointer(&b.Stop.Drain, drain)
	orElse(&b.Stop.Grace, core.Duration(10*time.Second))
	orElse(&b.Stop.Signal, "TERM")
	for i := range b.Volumes {
		orElse(&b.Volumes[i].Path, "/capstan/volumes/"+b.Volumes[i].Name)
	}
}

func (p *Probe) fill(ports []Port) {
	orElse(&p.Interval, core.Duration(time.Second))
	orElse(&p.Timeout, core.Duration(time.Second))
	orElse(&p.Threshold, 3)
	if p.HTTP == nil {
		return
	}
	orElse(&p.HTTP.Path, "/")
	if p.HTTP.Port == "" && len(ports) > 0 {
		p.HTTP.Port = ports[0].Name
	}
}

func (u *Update) fill(blind bool) {
	quarter := Amount{N: 25, Percent: true} // not Given: see Of
	orElse(&u.MaxUnavailable, quarter)
	orElse(&u.MaxSurge, quarter)
	orElse(&u.Order, "ascending")
	settle := core.Duration(0)
	if blind {
		settle = core.Duration(2 * time.Second)
	}
	pointer(&u.Settle, settle)
	orElse(&u.Tries, 3)
	orElse(&u.Within, core.Duration(10*time.Minute))
	pointer(&u.Rollback, true)
	if u.Canary != nil {
		orElse(&u.Canary.Copies, 1)
		orElse(&u.Canary.Hold, core.Duration(30*time.Second))
	}
}

// Sticky reports whether a copy belongs to the machine that holds its volumes.
func (b *Body) Sticky() bool { return len(b.Volumes) > 0 }

// Room is how many of n copies may be missing, and how many run beyond n, for
// an update's sake. One of them is not 0.
func (b *Body) Room(n int) (unavailable, surge int) {
	unavailable, surge = b.Update.MaxUnavailable.Of(n, false), b.Update.MaxSurge.Of(n, true)
	if b.Sticky() {
		surge = 0
	}
	if unavailable == 0 && surge == 0 {
		unavailable = 1
	}
	return min(unavailable, n), surge
}

// StopWithin bounds how long a copy takes to stop.
func (b *Body) StopWithin() time.Duration {
	return time.Duration(*b.Stop.Drain) + time.Duration(b.Stop.Grace) + 2*time.Second
}
