package peer

import (
	"context"
)

// Program is what every peer of a gang runs. Every peer runs the same one.
//
// Run may be called again in the same process, after Load where the program is
// a [Keeper]: a rank was lost and all go on from the last checkpoint, or from
// the beginning where there is none. [Peer.Superstep] says from where.
type Program interface {
	Run(ctx context.Context, p *Peer) error
}

// Func makes a program of a function. It has no checkpoints.
type Func func(ctx context.Context, p *Peer) error

// Run calls f.
func (f Func) Run(ctx context.Context, p *Peer) error { return f(ctx, p) }

// Keeper is a program that can go on from a checkpoint.
//
// Save is called within Sync, when the superstep has ended: messages,
// aggregators, counters and output are kept by the peer. Load is called before
// Run; where it finds Run at superstep n, Save was called at the end of the nth
// Sync.
type Keeper interface {
	Program
	Save(w *SnapshotWriter) error
	Load(r *SnapshotReader) error
}
