package peer

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Config is what a rank runs with. Every, Period, and whether there are
// Checkpoints must be the same on all ranks.
type Config struct {
	// Mesh links the ranks. It is Run's, which closes it.
	Mesh *mesh.Mesh
	// Arena is the mesh's own Config.Arena; default 64 MiB. Shared memory that
	// messages lie in is the sender's, who may need it back: a rank holds no
	// more of it than its share.
	Arena int

	// Table is the path of a file in shared memory, or on a disk, that all
	// ranks share: they are on one host, and meet there. No two incarnations of
	// a gang have the same, and it is made and removed by the ranks. Empty: they
	// meet over the mesh, which takes longer.
	Table string

	Cores  int   // goroutines worth having; default GOMAXPROCS
	Memory int64 // bytes that peer and program hold together; default 512 MiB
	// Limit is how many bytes an executor has to be given for Memory to be so
	// many, for remedies; default: as many.
	Limit   func(memory int64) int64
	Scratch string // private directory on disk; default the system's for temporary files

	Splits  []input.Split // this rank's
	Reading input.Options
	Output  Output // nil: the program cannot write rows

	// A checkpoint is due after Every supersteps, or when Period has passed
	// since the last one began; 0 is never. One rank decides for all.
	Every  int64
	Period time.Duration
	// Due asks for a checkpoint out of turn: the rank that decides calls it at
	// the barrier. Nil: nobody asks.
	Due func() bool
	// Checkpoints is where they lie; nil: there are none.
	Checkpoints Checkpoints
	// Resume is the checkpoint to go on from; nil: from the beginning.
	Resume *Resume

	// Observe is called on the program's goroutine after each Sync, and once at
	// the end. Nil: nobody looks.
	Observe func(Superstep)
	// Log is told of checkpoints and of messages that went to disk. Default: nobody.
	Log *slog.Logger
}

// Defaults of a Config.
const (
	DefaultMemory = 512 << 20
	defaultArena  = 64 << 20
	minMemory     = 4 << 20
)

// Validate finds what cannot work.
func (c Config) Validate() error {
	switch {
	case c.Mesh == nil:
		return core.Errorf(core.Invalid, "a peer without a mesh").At("peer")
	case c.Memory != 0 && c.Memory < minMemory:
		return core.Errorf(core.Invalid, "%d bytes of memory", c.Memory).At("peer").Do("give a peer at least 4 MiB")
	case c.Every < 0 || c.Period < 0:
		return core.Errorf(core.Invalid, "a checkpoint each %d supersteps or %v", c.Every, c.Period).At("peer")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Arena == 0 {
		c.Arena = defaultArena
	}
	if c.Cores == 0 {
		c.Cores = runtime.GOMAXPROCS(0)
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.Limit == nil {
		c.Limit = func(memory int64) int64 { return memory }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(Superstep) {}
	}
	return c
}

// Output takes the rows that a rank writes. Its methods are called by one
// goroutine.
type Output interface {
	// WriteKV writes a line of the result. It keeps neither slice.
	WriteKV(key, value []byte) error
	// WriteRecord writes rows. It does not retain rec.
	WriteRecord(rec arrow.Record) error
	// Seal makes what was written durable and names it, for a checkpoint.
	Seal() ([]byte, error)
	// Rewind drops all that was written after the Seal that returned state;
	// nil: all.
	Rewind(state []byte) error
}

// Superstep is what one rank saw of a superstep.
type Superstep struct {
	Number     int64         // from 0; of the end, that of the last one begun
	Ended      bool          // the program has ended; no Sync came
	Loading    bool          // as the program said, by Loading
	Compute    time.Duration // between two Syncs, without Send; of the end, until the last edges were followed
	Send       time.Duration // in which SendBlock and its kin waited or copied
	Wait       time.Duration // in Sync: for the others, and for what they sent
	Checkpoint time.Duration // in Sync: what a checkpoint took before the next superstep could begin
	Messages   int64         // that this rank sent: messages, records and blocks
	Bytes      int64         // that this rank sent
	Spilled    int64         // bytes that were sent to this rank and went to disk
	Active     int64         // as the program said, by Active
	Edges      int64         // as the program said, by Edges
	// Records is how many records of the input the program said it has read, in all.
	Records int64
	// Counters are the rank's totals so far. They are the callee's.
	Counters map[string]int64
}
