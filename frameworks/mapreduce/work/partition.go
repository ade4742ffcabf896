package work

import (
	"bytes"

	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// Partitioner chooses the reduce task of a key.
type Partitioner struct {
	parts     int
	order     Order
	bounds    [][]byte // range: upper bounds, exclusive, of all but the last
	prefixes  []uint64 // of bounds, for the first look
	ranged    bool
	first     bool
	fields    int // of the key that count; 0: all
	separator []byte
}

// NewPartitioner makes the partitioner of a job with parts reduce tasks. bounds
// are in order; fewer than parts-1 leave the last partitions empty.
func NewPartitioner(s spec.Shuffle, parts int, order Order, bounds [][]byte, separator string) *Partitioner {
	p := &Partitioner{
		parts: max(parts, 1), order: order, bounds: bounds,
		ranged: s.By == "range", first: s.By == "first",
		fields: s.PartitionFields, separator: []byte(separator),
	}
	for _, b := range bounds {
		p.prefixes = append(p.prefixes, order.Prefix(b))
	}
	return p
}

// Of returns the partition of key, in [0, parts).
func (p *Partitioner) Of(key []byte) int {
	if p.parts == 1 || p.first {
		return 0
	}
	if p.fields > 0 {
		key = keyFields(key, p.separator, p.fields)
	}
	if p.ranged {
		return p.search(key)
	}
	return partition.Of(keyHash.of(key), p.parts)
}

// whole reports whether partition.Of of a key's hash is its partition.
func (p *Partitioner) whole() bool { return !p.first && !p.ranged && p.fields == 0 }

// keyHash is the hash that partitions keys: the same in every executor and
// every run.
const keyHash seed = 0x5ca1ab1e0ddba11

// search finds the first bound above key.
func (p *Partitioner) search(key []byte) int {
	n := min(len(p.bounds), p.parts-1)
	prefix := p.order.Prefix(key)
	// Of the bounds with this prefix, and there is hardly ever one, whole keys
	// decide.
	from := lower(p.prefixes[:n], prefix)
	for from < n && p.prefixes[from] == prefix && p.order.Compare(key, p.bounds[from]) >= 0 {
		from++
	}
	return from
}

// lower is how many of a, which is in order, are less than v. Its loop takes as
// many steps for any v, and no branch depends on what they find.
func lower(a []uint64, v uint64) int {
	at := 0
	for n := len(a); n > 0; {
		half := (n + 1) / 2
		next := at
		if a[at+half-1] < v {
			next = at + half
		}
		at, n = next, n-half
	}
	return at
}

// keyFields is the part of key that holds its first n fields.
func keyFields(key, separator []byte, n int) []byte {
	at := 0
	for range n {
		i := bytes.Index(key[at:], separator)
		if i < 0 {
			return key
		}
		at += i + len(separator)
	}
	return key[:at-len(separator)]
}
