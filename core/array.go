package core

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Array is the indexes of a job array, in constant space for each range.
type Array struct {
	Ranges []ArrayRange `json:"ranges"`           // ascending, without overlap
	AtOnce int          `json:"atOnce,omitempty"` // most elements that run together; 0: no limit
}

// ArrayRange is First, First+Step, … up to and with Last.
type ArrayRange struct{ First, Last, Step int64 }

// ParseArray reads "0-999", "1,5,9-20:2" or "0-999%50". Ranges may come in any
// order and must not overlap.
func ParseArray(s string) (*Array, error) {
	a := new(Array)
	list, limit, limited := strings.Cut(s, "%")
	if limited {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("array %q: %q is not a number of elements to run at once", s, limit)
		}
		a.AtOnce = n
	}
	for _, part := range strings.Split(list, ",") {
		r, err := parseRange(part)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", s, err)
		}
		a.Ranges = append(a.Ranges, r)
	}
	slices.SortFunc(a.Ranges, func(x, y ArrayRange) int { return cmp.Compare(x.First, y.First) })
	for i := 1; i < len(a.Ranges); i++ {
		if a.Ranges[i].First <= a.Ranges[i-1].Last {
			return nil, fmt.Errorf("array %q: %s and %s overlap", s, a.Ranges[i-1], a.Ranges[i])
		}
	}
	return a, nil
}

// maxIndex keeps the number of elements within an int.
const maxIndex = math.MaxInt32

func parseRange(s string) (ArrayRange, error) {
	span, step, stepped := strings.Cut(s, ":")
	first, last, ranged := strings.Cut(span, "-")
	if !ranged {
		last = first
	}
	r := ArrayRange{Step: 1}
	var errs [3]error
	r.First, errs[0] = strconv.ParseInt(first, 10, 64)
	r.Last, errs[1] = strconv.ParseInt(last, 10, 64)
	if stepped {
		r.Step, errs[2] = strconv.ParseInt(step, 10, 64)
	}
	if errs != [3]error{} || r.First < 0 || r.Last < r.First || r.Last > maxIndex || r.Step < 1 {
		return r, fmt.Errorf("%q is not an index or a range such as 0-99 or 0-99:2", s)
	}
	r.Last = r.First + (r.Last-r.First)/r.Step*r.Step
	return r, nil
}

func (r ArrayRange) String() string {
	switch {
	case r.First == r.Last:
		return strconv.FormatInt(r.First, 10)
	case r.Step == 1:
		return fmt.Sprintf("%d-%d", r.First, r.Last)
	}
	return fmt.Sprintf("%d-%d:%d", r.First, r.Last, r.Step)
}

func (r ArrayRange) len() int { return int((r.Last-r.First)/r.Step) + 1 }

// Len is the number of elements.
func (a *Array) Len() int {
	n := 0
	for _, r := range a.Ranges {
		n += r.len()
	}
	return n
}

// Index is the index of the n-th element, from 0; n is below Len.
func (a *Array) Index(n int) int64 {
	for _, r := range a.Ranges {
		if n < r.len() {
			return r.First + int64(n)*r.Step
		}
		n -= r.len()
	}
	panic("core: array has no such element")
}

// Place is which element has an index, from 0; the reverse of Index.
func (a *Array) Place(index int64) (n int, ok bool) {
	for _, r := range a.Ranges {
		if index >= r.First && index <= r.Last && (index-r.First)%r.Step == 0 {
			return n + int((index-r.First)/r.Step), true
		}
		n += r.len()
	}
	return 0, false
}

// Has reports whether index is one of the array's.
func (a *Array) Has(index int64) bool {
	_, ok := a.Place(index)
	return ok
}

// String is the array as ParseArray reads it.
func (a *Array) String() string {
	var parts []string
	for _, r := range a.Ranges {
		parts = append(parts, r.String())
	}
	s := strings.Join(parts, ",")
	if a.AtOnce > 0 {
		s += fmt.Sprintf("%%%d", a.AtOnce)
	}
	return s
}

// ElementName is how the gang of an array's element is called: "main[17]".
func ElementName(gang string, index int64) string { return fmt.Sprintf("%s[%d]", gang, index) }

// ElementOf is the gang that was asked for and the index of an element, if name
// is an element's.
func ElementOf(name string) (gang string, index int64, ok bool) {
	gang, rest, ok := strings.Cut(name, "[")
	digits, closed := strings.CutSuffix(rest, "]")
	index, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !closed || err != nil || index < 0 {
		return "", 0, false
	}
	return gang, index, true
}
