// Package corpus makes the text that word counts run over, and knows its answer.
//
// # Model
//
//	GOROOT/src/**/*.go ─ clean ─→ base text ─ repeat, cut at a line ─→ text of the size asked for
//	                                  └──── counted here ────────────→ Answer
//
// The text is the Go toolchain's own source, which every machine that builds
// this has. It is kept in a cache directory, with the answer beside it.
//
// # Laws
//
//	T1  A text is valid UTF-8 and holds no white space but space, tab and
//	    newline, so that Go, awk, tr, Java and Python cut it into the same words.
//	T2  A text is at most the size asked for, less by at most its last line,
//	    and ends with a newline.
//	T3  A text appears in the cache under its name only when it is complete.
//
// # Drawn keys
//
// [Drawn] is for jobs whose question is how keys are spread: rows of one length,
// so that two texts differ in nothing else. It does not stand in for text: real
// words have the repetition and the rare ones that make hash tables slow.
package corpus
