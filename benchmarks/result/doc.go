// Package result holds what a benchmark measured, and the statistics of it.
//
// # Model
//
//	Result ── Machine
//	   └──── Samples ─ Summarise ─→ Groups: median, least and most of each figure
//	                                  └─ Judge ─→ Verdicts: goal, measured, kept or not
//
// A sample is one run; what was run is told by its Key. Nothing is left out of
// a summary: no outlier is dropped, no first run discarded.
//
// # Laws
//
//	R1  The JSON form of a Result holds all that its page shows: a page can be
//	    made again from the JSON alone.
//	R2  Amounts are bytes, times are seconds, rates are 10^6 bytes per second.
package result
