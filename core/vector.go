package core

import (
	"fmt"
	"slices"
)

// Vector is an amount of every schedulable thing, for arithmetic without maps:
// milli-CPUs, bytes of memory, then generic resources as a [Dimensions] names
// them.
type Vector [MaxDims]int64

// MaxDims is how many kinds of resource a cluster may have.
const MaxDims = 8

// Dimensions names the elements of vectors. A name keeps its number for ever.
// The zero value knows CPU and memory.
type Dimensions struct{ generic []string }

// Len is how many elements of a vector mean something.
func (d *Dimensions) Len() int { return 2 + len(d.generic) }

// Name is what element i counts: "cpu", "memory", "gpu".
func (d *Dimensions) Name(i int) string {
	switch i {
	case 0:
		return "cpu"
	case 1:
		return "memory"
	}
	return d.generic[i-2]
}

// Clone returns dimensions that share nothing with d.
func (d *Dimensions) Clone() Dimensions { return Dimensions{slices.Clone(d.generic)} }

// Vector is r and the generic amounts. New names get the next numbers, in
// their own order; it is an error if there are too many, and then none of them
// gets one and v is what has a name.
func (d *Dimensions) Vector(r Resources, generic map[string]int64) (v Vector, err error) {
	fresh := d.Unknown(generic)
	if err = d.Check(fresh); err == nil {
		d.generic = append(d.generic, fresh...)
	}
	v = Vector{int64(r.CPU), int64(r.Memory)}
	for i, name := range d.generic {
		v[2+i] = generic[name]
	}
	return v, err
}

// Unknown is the generic resources that have no number yet, by name.
func (d *Dimensions) Unknown(generic map[string]int64) []string {
	var out []string
	for name := range generic {
		if !slices.Contains(d.generic, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Check reports whether there are numbers left for so many new names.
func (d *Dimensions) Check(fresh []string) error {
	if left := MaxDims - d.Len(); len(fresh) > left {
		return fmt.Errorf("generic resource %q is one too many: a cluster has at most %d kinds, and there are %v", fresh[left], MaxDims-2, append(d.generic[:len(d.generic):len(d.generic)], fresh[:left]...))
	}
	return nil
}

// Add is v + o.
func (v Vector) Add(o Vector) Vector {
	for i := range v {
		v[i] += o[i]
	}
	return v
}

// Sub is v - o.
func (v Vector) Sub(o Vector) Vector {
	for i := range v {
		v[i] -= o[i]
	}
	return v
}

// Times is n times v.
func (v Vector) Times(n int64) Vector {
	for i := range v {
		v[i] *= n
	}
	return v
}

// Min is the lesser of each element.
func (v Vector) Min(o Vector) Vector {
	for i := range v {
		v[i] = min(v[i], o[i])
	}
	return v
}

// Fits reports whether v fits into free.
func (v Vector) Fits(free Vector) bool {
	for i := range v {
		if v[i] > free[i] {
			return false
		}
	}
	return true
}

// Resources is the CPU and memory of v.
func (v Vector) Resources() Resources { return Resources{MilliCPU(v[0]), Bytes(v[1])} }
