// Package script runs a user's command as one end of a pair of pipes: lines
// with Hadoop Streaming's conventions, or Arrow IPC streams. It knows processes
// and protocols; what the pairs mean is package work's.
//
// # Model
//
//	          stdin                      stdout
//	Write ──────────────→ command ─────────────────→ ReadLines, ReadRecords
//	                         │ stderr
//	                         ├ reporter:counter:group,name,amount ─→ Command.Counter
//	                         ├ reporter:status:text ───────────────→ Command.Status
//	                         └ anything else ─→ Command.Log, and the tail an error shows
//
// One process serves one task: unmodified scripts speak at the end of their
// input (awk's END, a dict printed after the loop), so a process must see a
// task's whole input and no more. Tasks are large, so that a start, about a
// millisecond, is cheap.
//
// # Laws
//
//	X1  A script that closes its input early (head) is no error; what it said
//	    before is its output.
//	X2  A script that ends with a status other than 0 is an error, which shows
//	    the status and the last lines of stderr.
//	X3  Nothing a script writes can fill memory: stderr is cut into bounded
//	    lines, passed on at a bounded rate and counted beyond it, and always
//	    drained; a line of stdout has a bound, past which it is an error.
//	X4  When the context ends the command and all processes of its group are
//	    killed. Wait leaves none behind.
//	X5  Bytes of an Arrow stream are checked before they are parsed as far as
//	    its framing allows, and a panic of the parser is an error.
//
// # Left out
//
// Typed bytes and other binary protocols; several commands joined by pipes: a
// shell does that.
package script
