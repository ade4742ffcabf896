package executor

import (
	"time"

	"github.com/capstan-run/capstan/core"
)

// Handler hears what executors say. Calls for one executor come one at a time
// and in order; calls for different executors come concurrently. A call must
// not block for long: it holds up that executor's stream (and only that).
// Calls may use every method of the Server but Close.
type Handler interface {
	// Joined says that a session opened. rank is the zero Rank while the
	// executor is warm. running says that the worker runs already, as after a
	// broken connection or a restart of the host.
	Joined(id string, rank core.Rank, running bool)
	// Message is a worker's message to the coordinator's generation. Messages
	// to a generation older than the one set are dropped before. The callee
	// owns data.
	Message(id string, generation int64, data []byte)
	// Log is one line, valid UTF-8, without control bytes, at most 8 KiB.
	Log(id string, at time.Time, text string)
	// Beat is a heartbeat: CPU time so far of the executor and its ended
	// children, and resident bytes.
	Beat(id string, cpu time.Duration, rss core.Bytes)
	// Silent says that nothing was heard from a joined executor for three
	// heartbeats. It is repeated every heartbeat with the growing silence
	// until the executor speaks, ended or is fenced or forgotten.
	Silent(id string, since time.Duration)
	// Ended says that the worker returned: nil, or why it failed. The process
	// exits soon after.
	Ended(id string, err *core.Error, cpu time.Duration)
	// Closed says that the session broke. The executor may come back, which
	// Joined tells.
	Closed(id string, err error)
}
