package plugins

import "github.com/capstan-run/capstan/core"

// Info is a line of `plugin list`.
type Info struct {
	Name    string             `json:"name"`
	Kinds   []core.Description `json:"kinds,omitempty"` // where it does not run: those it served last
	Path    string             `json:"path"`
	SHA256  string             `json:"sha256"`
	Pin     string             `json:"pin"`   // built-in, pinned, unpinned, mismatch
	State   string             `json:"state"` // ready, held, refused, broken
	Message string             `json:"message,omitempty"`
	Crashes int                `json:"crashes,omitempty"` // in a row
	Stacks  string             `json:"stacks,omitempty"`  // of one that is held or broken: what its crashes said
}

// The pins of a plugin.
const (
	PinBuiltIn  = "built-in"
	PinPinned   = "pinned"
	PinUnpinned = "unpinned"
	PinMismatch = "mismatch"
)

// List shows every plugin.
func (s *Supervisor) List() []Info {
	all := s.snapshot()
	out := make([]Info, len(all))
	for i, p := range all {
		out[i] = p.info()
	}
	return out
}

func (p *plugin) info() Info {
	sum, kinds := p.binary.digest(), p.remembered()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kinds) > 0 {
		kinds = p.kinds
	}
	i := Info{
		Name: p.name, Kinds: kinds, Path: p.binary.path, SHA256: sum,
		Pin: p.pin, State: p.state, Message: p.message, Crashes: len(p.crashes),
	}
	if p.state == StateHeld || p.state == StateBroken {
		i.Stacks = stacks(p.crashes)
	}
	return i
}
