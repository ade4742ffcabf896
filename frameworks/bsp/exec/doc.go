// Package exec is a BSP peer that is a process, in any language: it reads Arrow
// IPC streams from stdin and answers on stdout.
//
// # Model
//
//	peer.Sync ─→ messages, aggregators ─ stdin ─→ process ─ stdout ─→ messages, rows,
//	     ↑                                                            votes, state ──┐
//	     └───────────────────────────────────────────────────────────────────────────┘
//
// # Protocol
//
// Both ways go streams in Arrow's streaming format, one after the other. The
// metadata of a stream's schema has the key "bsp" with the stream's kind, and
// more keys with it, all of them text. The process is told
//
//	begin     once, first. No columns. rank, size, superstep
//	input     none or more, in superstep 0: this rank's part of the input, as
//	          records; of text a column line (binary). One stream for each split
//	state     instead of input where the job goes on from a checkpoint: the
//	          stream that the process last wrote of that kind
//	messages  each superstep: what was sent to this rank. superstep; aggregators,
//	          JSON such as {"sum of x": 1.5}; a sum beyond float64 is null. The
//	          first column is from (int32), the others are as they were sent. There
//	          are no others where nothing was
//	save      now and then: the process answers with its state alone
//	finish    when every rank has voted to halt and no message was sent, with
//	          superstep and aggregators. The answer's rows are written; stdin ends
//
// and to messages and to finish it answers with any number of
//
//	messages  a column to (int32): the rank, or null or -1 for all; and columns of
//	          the sender's choice, the same on all ranks in a superstep
//	rows      rows of the result
//	end       last. No columns. halt: "1" votes to halt. saves: "1" says that save
//	          is understood; only then are there checkpoints. active: a number.
//	          counters: JSON such as {"relaxed": 3}. aggregators: JSON such as
//	          {"sum of x": {"op": "sum", "value": 0.5}}; op is sum, min, max, all or
//	          any
//
// and to save with one stream of kind state, and end.
//
// # Laws
//
//	E1  A process that ends before it is told to, breaks the protocol or ends
//	    with a status other than 0 fails the job; the error names the command,
//	    the superstep and the last lines of its stderr. One that says nothing for
//	    a minute is named in the log, with those lines, each minute.
//	E2  What it writes is bounded by what this package holds of it: a batch at a
//	    time, each at most Peer.Memory.
//	E3  When the rank ends, the process and its group have ended.
//	E4  After a loss every rank starts its process anew from the state of the
//	    checkpoint: a process need not go back.
//
// # Left out
//
// Messages of several schemas in one superstep. Blocks. Schemas that lie about
// their lengths: Arrow's reader believes them, and the executor may run out of
// memory, which the job then names.
package exec
