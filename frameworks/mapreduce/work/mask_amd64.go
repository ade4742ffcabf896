package work

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// fieldsAVX2 has a bit for each byte of w: in spaces for ASCII white space, in
// wide for what is not ASCII.
//
//go:noescape
func fieldsAVX2(w *[64]byte) (spaces, wide uint64)

// lettersAVX2 has a bit for each byte of w: in alnums for ASCII letters, digits
// and underscores, in wide for what is not ASCII.
//
//go:noescape
func lettersAVX2(w *[64]byte) (alnums, wide uint64)

// classify has a bit for each byte of w: in in for what is of a word of set,
// unless it is not ASCII, and then in wide.
func classify(set charset, w *[64]byte) (in, wide uint64) {
	switch {
	case !hasAVX2:
		return classifyWords(set, w)
	case set == fields:
		spaces, wide := fieldsAVX2(w)
		return ^spaces, wide
	}
	return lettersAVX2(w)
}
