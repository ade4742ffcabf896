package host

import (
	_ "embed"
	"encoding/json"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
	"github.com/capstan-run/capstan/core/spec"
)

// queuesDocument is the form in which people write queues.
type queuesDocument struct {
	Default  string           `json:"default,omitempty"`
	HalfLife core.Duration    `json:"halfLife,omitempty"`
	Guard    core.Duration    `json:"guard,omitempty"`
	Queues   []queue.Queue    `json:"queues,omitempty"`
	Licences map[string]int64 `json:"licences,omitempty"`
}

//go:embed queues.json
var queuesSchema []byte

// parseQueues reads a document of queues and says everything that is wrong with
// it, and where.
func parseQueues(doc []byte, source string) (queuesDocument, error) {
	var d queuesDocument
	b, err := spec.Conform(doc, source, spec.Form{
		What: "the queues", Schema: queuesSchema, More: queueFaults, Remedy: "`capstan queue set --help` shows a document",
	})
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	return d, nil
}

// queueFaults finds what the schema of the queues lets pass. A document that
// cannot be read is none of its business.
func queueFaults(doc json.RawMessage) []core.Diagnostic {
	var d queuesDocument
	if json.Unmarshal(doc, &d) != nil {
		return nil
	}
	err := gang.CheckQueues((&policy{Queues: d}).queues())
	if err == nil {
		return nil
	}
	e := core.AsError(err)
	if len(e.Diagnostics) > 0 {
		return e.Diagnostics
	}
	return []core.Diagnostic{{Path: e.Where, Message: e.What, Remedy: e.Remedy}}
}
