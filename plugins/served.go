package plugins

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// service is a kind and the plugin that serves it.
type service struct {
	core.Description
	by *plugin
}

// served lists every kind once, with the plugin that serves it: first what
// plugins serve now, in the order of List, then what others served when they
// last ran (law P8).
func (s *Supervisor) served() []service {
	var out []service
	seen := map[string]bool{}
	add := func(p *plugin, kinds []core.Description) {
		for _, d := range kinds {
			if !seen[d.Kind] {
				seen[d.Kind] = true
				out = append(out, service{d, p})
			}
		}
	}
	all := s.snapshot()
	for _, p := range all {
		add(p, p.serves())
	}
	for _, p := range all {
		add(p, p.remembered())
	}
	return out
}

// serves is what the plugin's present binary says that it serves.
func (p *plugin) serves() []core.Description {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == StateRefused {
		return nil
	}
	return p.kinds
}

// remembered is what the plugin served when it last ran. The schemas are those
// of a binary that may be gone, so no document is held against them: that the
// plugin does not run comes first.
func (p *plugin) remembered() []core.Description {
	v, _ := p.sup.pins.get(p.name)
	kinds := make([]core.Description, len(v.Kinds))
	for i, d := range v.Kinds {
		d.Schema = nil
		kinds[i] = d
	}
	return kinds
}

// ready returns the plugin that serves kind. One that is known by what it
// served only is looked at again first: it may have been mended meanwhile. The
// error says why it does not serve.
func (s *Supervisor) ready(ctx context.Context, kind string) (*plugin, error) {
	p, _, err := s.find(kind)
	if err != nil || p.servesKind(kind) {
		return p, err
	}
	s.examine(ctx, p)
	if err := p.usable(true); err != nil {
		return nil, err
	}
	if p.servesKind(kind) {
		return p, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == StateReady {
		return nil, core.Errorf(core.NotFound, "plugin %s served kind %s once, and its present binary does not", p.name, kind).
			At("kind").Do("capstan plugin list shows what is served")
	}
	e := core.Errorf(core.Denied, "plugin %s is %s: %s", p.serving(), p.state, p.message).
		Do("mend or replace it, then: capstan plugin verify")
	e.Detail = stacks(p.crashes)
	return nil, e
}

func (p *plugin) servesKind(kind string) bool {
	return slices.ContainsFunc(p.serves(), func(d core.Description) bool { return d.Kind == kind })
}
