// Package queue keeps gangs in the order in which they are to be placed. It is
// pure: the order depends on nothing but the entries.
//
// # Model
//
// An [Entry] is a claim: a fresh gang that waits to be placed whole, or a
// repair, one rank of a running gang that waits for a new node. A [Line] holds
// the entries sorted; the first is next.
//
// # Laws
//
//	Q1  Repairs stand before fresh gangs: a gang that runs with a hole holds
//	    room and may do nothing with it until the hole is filled.
//	Q2  Then the higher priority, then the earlier arrival, then the lower rank.
//	Q3  Arrival is a number that the caller gives once and keeps: a gang that
//	    comes back stands where it stood.
//	Q4  The order is total: no two entries of a line compare equal.
//
// # Left out
//
// Whether the first entry fits, and who may pass it (package gang). Shares,
// quotas and several queues.
package queue
