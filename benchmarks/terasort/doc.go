// Package terasort makes the records of the sort benchmark, and checks that they
// come out sorted and that none is missing.
//
// # Model
//
//	Generate ─→ files of records ─→ (a sort) ─→ files of records ─→ Validate
//	    └──────────────── Summary ──────────── must be equal ───────────┘
//
// A record has 100 bytes, laid out as gensort's (Nyberg, Sort Benchmark Data
// Generator, ordinal.com): a key of 10 random bytes, two bytes, the number of
// the record in 32 hexadecimal digits, four bytes, 48 bytes of filler, four
// bytes. The random numbers are another generator's, so that sums do not compare
// with those of gensort.
//
// # Laws
//
//	T1  The records depend on their numbers alone: any number of files, made in
//	    any order, holds the same ones.
//	T2  Validate sees every record once, in the order of the files' names, and
//	    refuses a key that is less than the one before it, across files too.
//	T3  Sum adds up the CRC-32 of every record, as valsort does. Records that
//	    are lost, doubled or changed change it, but for one chance in 2³².
//
// # Left out
//
// Records of text; skewed keys.
package terasort
