package coordinate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Tally counts the gangs that have ended, by their places in the array. Its size
// goes with the runs, not with their number (law B6).
type Tally struct {
	OK     core.Intervals `json:"ok,omitempty"`
	Failed core.Intervals `json:"failed,omitempty"`
	Lost   int64          `json:"lost,omitempty"`  // executors
	Tries  int64          `json:"tries,omitempty"` // that have ended
}

func (t *Tally) add(place int64, ok bool) {
	if ok {
		t.OK.Add(place)
		return
	}
	t.Failed.Add(place)
}

// Len is the number of gangs that have ended.
func (t *Tally) Len() int { return t.OK.Len() + t.Failed.Len() }

// Has reports whether the gang at a place has ended.
func (t *Tally) Has(place int64) bool { return t.OK.Has(place) || t.Failed.Has(place) }

func (t *Tally) clone() Tally {
	c := *t
	c.OK, c.Failed = slices.Clone(t.OK), slices.Clone(t.Failed)
	return c
}

// Encode makes t durable form.
func (t *Tally) Encode() ([]byte, error) { return json.Marshal(t) }

// DecodeTally reads what Encode wrote; nil is the zero Tally.
func DecodeTally(b []byte) (Tally, error) {
	var t Tally
	if b == nil {
		return t, nil
	}
	err := json.Unmarshal(b, &t)
	if err == nil && !(t.OK.Valid() && t.Failed.Valid()) {
		err = fmt.Errorf("its runs are out of order")
	}
	if err != nil {
		return Tally{}, fmt.Errorf("read the saved tally: %w", err)
	}
	return t, nil
}

// list is the indexes of the elements at places, as core.ParseArray reads them,
// "3,17,40-49", cut to about most bytes; 0: not cut.
func list(a *core.Array, places core.Intervals, most int) string {
	var b strings.Builder
	for i, r := range a.Indexes(places) {
		if i > 0 {
			b.WriteByte(',')
		}
		if most > 0 && b.Len() > most {
			b.WriteString("…")
			break
		}
		b.WriteString(r.String())
	}
	return b.String()
}
