package shuffle

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLost is in the chain of what [Source.Open] returns when no rung has the
// partition intact: its producer must run again. The error is a [*LostError].
var ErrLost = errors.New("exchange partition is lost")

// ErrCorrupt is in the chain of an error about bytes that are there and are
// not what the index says. [Source.Open] returns it only within a
// [*LostError], after the other rungs were tried.
var ErrCorrupt = errors.New("exchange data is corrupt")

// LostError says which partition is lost and why each rung had no answer.
type LostError struct {
	Name      string // the object's file name
	Object    string // in the store, "" if it was never uploaded
	Partition int
	Rungs     []error // in the order of the ladder
}

func (e *LostError) Error() string {
	reasons := make([]string, len(e.Rungs))
	for i, err := range e.Rungs {
		reasons[i] = err.Error()
	}
	if len(reasons) == 0 {
		reasons = []string{"no rung to read it from"}
	}
	return fmt.Sprintf("partition %d of exchange object %s is lost: %s", e.Partition, e.Name, strings.Join(reasons, "; "))
}

// Unwrap gives [ErrLost] and the reasons.
func (e *LostError) Unwrap() []error { return append([]error{ErrLost}, e.Rungs...) }
