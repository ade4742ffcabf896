package queue

import (
	"cmp"
	"slices"
)

// Whole is the Rank of an entry for a whole gang.
const Whole = -1

// Entry is a place in the line.
type Entry struct {
	Gang     string
	Rank     int // Whole, or the rank to repair
	Priority int // higher is earlier
	Arrival  uint64
}

// Repair reports whether the entry asks for one rank of a running gang.
func (e Entry) Repair() bool { return e.Rank != Whole }

// Compare orders entries as laws Q1 and Q2 say: negative if a is before b.
func Compare(a, b Entry) int {
	if a.Repair() != b.Repair() {
		if a.Repair() {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(b.Priority, a.Priority),
		cmp.Compare(a.Arrival, b.Arrival),
		cmp.Compare(a.Rank, b.Rank),
		cmp.Compare(a.Gang, b.Gang),
	)
}

// Line is a sorted sequence of entries. The zero value is empty and ready.
type Line struct{ entries []Entry }

// Len is the number of entries.
func (l *Line) Len() int { return len(l.entries) }

// At is the i-th entry; the first is 0.
func (l *Line) At(i int) Entry { return l.entries[i] }

// Add puts e in its place. Adding an entry twice has no effect.
func (l *Line) Add(e Entry) {
	i, found := slices.BinarySearchFunc(l.entries, e, Compare)
	if !found {
		l.entries = slices.Insert(l.entries, i, e)
	}
}

// Remove takes e out and reports whether it was there.
func (l *Line) Remove(e Entry) bool {
	i, found := slices.BinarySearchFunc(l.entries, e, Compare)
	if found {
		l.entries = slices.Delete(l.entries, i, i+1)
	}
	return found
}

// Position is the index of e, or -1.
func (l *Line) Position(e Entry) int {
	i, found := slices.BinarySearchFunc(l.entries, e, Compare)
	if !found {
		return -1
	}
	return i
}

// Clone returns a line that shares nothing with l.
func (l *Line) Clone() Line { return Line{slices.Clone(l.entries)} }
