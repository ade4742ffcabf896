package coordinator

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// Opening is how a coordinator with one gang begins, in its first generation or
// in one that goes on. S is its state.
type Opening[S State] struct {
	Gang   core.GangAsk
	Saved  []byte // of the generation before; nil at first
	Decode func([]byte) (S, error)
	// Over reports whether what was saved needs no executors any more.
	Over func(S) bool
	// First makes the first state, while the gang starts.
	First func(context.Context) (S, error)
}

// Open asks for the gang and answers the state to go on from, which is saved: every
// generation works from the same first one.
func Open[S State](ctx context.Context, host core.Host, o Opening[S]) (state S, err error) {
	if o.Saved != nil {
		if state, err = o.Decode(o.Saved); err != nil || o.Over(state) {
			return state, err
		}
	}
	if err := host.WantGang(o.Gang); err != nil || o.Saved != nil {
		return state, err
	}
	if state, err = o.First(ctx); err != nil {
		return state, err
	}
	return state, Save(ctx, host, state)
}
