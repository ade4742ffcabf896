package coordinate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Tally counts the gangs that have ended. Its size goes with the runs of
// indexes, not with their number (law B6).
type Tally struct {
	OK     Set   `json:"ok,omitempty"`
	Failed Set   `json:"failed,omitempty"`
	Lost   int64 `json:"lost,omitempty"`  // executors
	Tries  int64 `json:"tries,omitempty"` // that have ended
}

func (t *Tally) add(index int64, ok bool) {
	if ok {
		t.OK.Add(index)
		return
	}
	t.Failed.Add(index)
}

// Len is the number of gangs that have ended.
func (t *Tally) Len() int { return t.OK.Len() + t.Failed.Len() }

// Has reports whether the gang of an index has ended.
func (t *Tally) Has(index int64) bool { return t.OK.Has(index) || t.Failed.Has(index) }

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
	if err == nil && !(t.OK.valid() && t.Failed.valid()) {
		err = fmt.Errorf("its indexes are out of order")
	}
	if err != nil {
		return Tally{}, fmt.Errorf("read the saved tally: %w", err)
	}
	return t, nil
}

// Set is a set of indexes as runs [first, last], ascending, apart from each
// other by more than one.
type Set [][2]int64

// Add puts index into the set.
func (s *Set) Add(index int64) {
	list := *s
	at, _ := slices.BinarySearchFunc(list, index, func(run [2]int64, i int64) int {
		if run[1] < i {
			return -1
		}
		return 1
	})
	if at < len(list) && list[at][0] <= index {
		return
	}
	below := at > 0 && list[at-1][1] == index-1
	above := at < len(list) && list[at][0] == index+1
	switch {
	case below && above:
		list[at-1][1] = list[at][1]
		list = slices.Delete(list, at, at+1)
	case below:
		list[at-1][1] = index
	case above:
		list[at][0] = index
	default:
		list = slices.Insert(list, at, [2]int64{index, index})
	}
	*s = list
}

// Has reports whether index is in the set.
func (s Set) Has(index int64) bool {
	at, _ := slices.BinarySearchFunc(s, index, func(run [2]int64, i int64) int {
		if run[1] < i {
			return -1
		}
		return 1
	})
	return at < len(s) && s[at][0] <= index
}

// Len is the number of indexes in the set.
func (s Set) Len() int {
	n := int64(0)
	for _, run := range s {
		n += run[1] - run[0] + 1
	}
	return int(n)
}

// Short is the set as core.ParseArray reads it, "3,17,40-49", cut to about most
// bytes; 0: not cut.
func (s Set) Short(most int) string {
	var b strings.Builder
	for i, run := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		if most > 0 && b.Len() > most {
			b.WriteString("…")
			break
		}
		if run[0] == run[1] {
			fmt.Fprintf(&b, "%d", run[0])
			continue
		}
		fmt.Fprintf(&b, "%d-%d", run[0], run[1])
	}
	return b.String()
}

func (s Set) valid() bool {
	for i, run := range s {
		if run[0] > run[1] || i > 0 && run[0] <= s[i-1][1]+1 {
			return false
		}
	}
	return true
}
