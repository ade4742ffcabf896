// Package partition decides which partition each row belongs to, and moves
// rows there.
//
// # Model
//
//	records ── Partitioner ──→ ids[row] ── Group ──→ one batch per partition
//
// A [Partitioner] fills one partition number per row: [Hash], [Range],
// [RoundRobin], [First], [Everywhere], or a [Func]. A [Group] gathers records
// and moves all their values by those numbers in two passes: it counts as they
// come, and knows every place before the first value moves. [Scatter] is a
// group of one record.
//
// # The hash
//
// It is part of the format: data partitioned by one version or machine must
// meet data partitioned by another.
//
//	HashBytes(key) = XXH3-64 of the key's bytes, seed 0
//	Of(h, P)       = high 64 bits of h × P          (multiply-shift)
//
// The key's bytes of a column value are:
//
//	binary, string, fixed-size binary, decimal   the bytes as they lie
//	integers, dates, times, timestamps, durations
//	                                             8 bytes, little-endian, sign- or
//	                                             zero-extended: 5 meets 5 in every width
//	float16, float32, float64                    8 bytes of the float64, little-endian;
//	                                             -0 is 0 and every NaN is 7ff8000000000000
//	bool                                         1 byte, 0 or 1
//	intervals                                    the bytes as they lie
//	dictionary                                   those of the value it stands for
//
// A null hashes to [NullHash]. With several key columns, the hash of the next
// column is joined to the hash so far: XXH3-64 of the 16 bytes of both,
// little-endian, the one so far first.
//
// # Laws
//
//	P1  Equal keys get equal numbers: in every record, process and version.
//	P2  Every number is in [0, P).
//	P3  Scatter keeps the rows of one partition in their order, loses none and
//	    copies every value once.
//	P4  A record that Scatter returns has no offset and shares nothing with its
//	    input.
//	P5  A dictionary column keeps one dictionary over all records of a group and
//	    of the groups after it: it only grows, and an index once written stays
//	    right.
//
// # Strings
//
// What costs most of moving strings is not their bytes but the call of copy for
// each, and the wait for one that lies elsewhere than the last. On amd64 a
// column's strings are moved in one call of assembly, 32 bytes at a time, and
// asked for some elements ahead; elsewhere in Go. Both write the same bytes.
// The rows are moved in the order of their partitions, about 4,096 to 16,384 of
// a record at a time; more at a time, of one record or several, measured no
// better, and one pass over all rows in that order took five times as long.
//
// # Left out
//
// Sampling for range bounds: that is the framework's. Nested types as keys;
// dictionaries as range keys.
package partition
