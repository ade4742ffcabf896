// Package operator is the built-in sources, operators and sinks of topologies.
//
// # Model
//
//	lines   source    text files, line by line, each read once
//	words   source    words of a few, drawn by a seed
//	split   operator  text into its words
//	count   operator  for each tuple, how many with the same fields there were
//	files   sink      a file for each epoch and task, tuples as JSON lines
//	log     sink      tuples as JSON lines, on a writer
//
// [Catalog] says what each emits, so that a topology can be checked without one;
// [New] makes one task's instance. What emits or takes tuples is a [Source], an
// [Operator] or a [Sink]; one with state is [Keyed] besides.
//
// # Laws
//
//	O1  An instance belongs to one goroutine, reads no clock and draws no lots
//	    but by a seed that it was told: from the same position the same tuples.
//	O2  A position says for each split of a source (a file, a stripe of numbers)
//	    how far it was read. Splits are dealt out by number, so another number
//	    of tasks goes on from the positions of all the old ones.
//	O3  What a sink sealed is durable and nobody sees it. Publish makes it seen; it
//	    may be repeated, also by another instance, and does it once.
//
// # Decisions
//
// "log" writes a part when its epoch was committed. A run that ends between the
// two writes it again: on a writer lines can come twice, and none is lost.
//
// Parts of "files" on s3:// are staged in the topology's own place and put where
// they belong when they are published: whoever looks at the folder sees whole
// epochs of each task, and never one that was not committed.
//
// # Left out
//
// What a sink gets in one epoch is in memory until it is sealed. Sources that go on as files grow, other formats, Kafka, NATS, HTTP and SQL.
package operator
