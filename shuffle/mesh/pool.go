package mesh

import "github.com/capstan-run/capstan/shuffle/slab"

// pool is the memory of messages that are in no arena, and the owner of those.
type pool struct{ slab.Pool }

func (p *pool) free(m *Message) { p.Free(m.data) }
