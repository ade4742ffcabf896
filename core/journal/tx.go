package journal

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Record is one thing that happened.
type Record struct {
	Seq  int64      `json:"seq"` // assigned by Commit
	Time time.Time  `json:"time"`
	Job  core.JobID `json:"job"`
	Kind string     `json:"kind"` // "submitted", "granted", "executor-lost"
	Data []byte     `json:"data"` // JSON, for programs; may be empty
	Text string     `json:"text"` // one line, for people
}

// Save is a coordinator's state: the last one of each job and epoch is kept.
type Save struct {
	Job   core.JobID
	Epoch core.Epoch
	State []byte
}

// Drop names a saved state to forget.
type Drop struct {
	Job   core.JobID
	Epoch core.Epoch
}

// Tx is what Commit writes in one go: all of it or nothing.
type Tx struct {
	Jobs    []core.Job // each replaces what is known of its id
	Records []Record
	Saves   []Save
	Drops   []Drop
	// Forget names jobs of which nothing is kept: no record, no saved state. It
	// is done first, so that a Tx may begin a job anew. The space is used again;
	// the file does not shrink.
	Forget []core.JobID
	// Meta holds small values of the host's own. A nil value removes the key.
	Meta map[string][]byte
}

// work is a Tx in the form in which it is written, detached from its caller.
type work struct {
	jobs    []jobRow
	records []Record
	saves   []Save
	drops   []Drop
	forget  []core.JobID
	meta    map[string][]byte
	done    chan error // buffered: the writer never waits for a caller
}

type jobRow struct {
	id        core.JobID
	state     core.State
	submitted int64 // Unix nanoseconds
	doc       []byte
}

// prepare checks tx and copies what the caller may change while it is written.
func prepare(tx Tx) (*work, error) {
	w := &work{records: slices.Clone(tx.Records), drops: slices.Clone(tx.Drops), forget: slices.Clone(tx.Forget), done: make(chan error, 1)}
	for i := range tx.Jobs {
		doc, err := json.Marshal(&tx.Jobs[i])
		if err != nil {
			return nil, &core.Error{Kind: core.Internal, What: "write job " + string(tx.Jobs[i].ID), Err: err}
		}
		w.jobs = append(w.jobs, jobRow{tx.Jobs[i].ID, tx.Jobs[i].State, tx.Jobs[i].Submitted.UnixNano(), doc})
	}
	for i := range w.records {
		r := &w.records[i]
		if len(r.Data) > 0 && !json.Valid(r.Data) {
			return nil, core.Errorf(core.Internal, "the data of a record of kind %q is not JSON", r.Kind).At("job " + string(r.Job))
		}
		r.Data = slices.Clone(r.Data)
	}
	for _, s := range tx.Saves {
		s.State = slices.Clone(s.State)
		w.saves = append(w.saves, s)
	}
	w.meta = make(map[string][]byte, len(tx.Meta))
	for k, v := range tx.Meta {
		w.meta[k] = slices.Clone(v)
	}
	return w, nil
}
