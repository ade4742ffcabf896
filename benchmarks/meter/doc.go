// Package meter runs commands and says what they cost.
//
// # Model
//
//	Meter.Run ─ sh: join the group; exec command ─→ command ─→ its children, their servers …
//	                 └────────────── one control group counts the CPU of all ──────┘
//
// A job is more than its command: a host that outlives it, a JVM nobody waits
// for. A control group of the kernel counts them all. Where none can be made
// (no root, no Linux) the CPU of the command and of the children it waited for
// stands in, and [Meter.Whole] says so.
//
// # Laws
//
//	Z1  Wall time runs from just before the command is started until it has
//	    ended; it includes a few milliseconds of shell where there is a group.
//	Z2  What commands leave running is killed when the meter is closed, where
//	    there is a group to find it by.
//	Z3  Containers are not in the group: their engine started them.
//
// # Left out
//
// Limits: a meter changes nothing about how a command runs.
package meter
