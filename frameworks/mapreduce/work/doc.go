// Package work runs the tasks of a MapReduce job inside an executor: it reads
// a split, maps it, combines, sorts and writes an exchange file; or it merges
// the partitions of many exchange files, reduces them and writes a part of the
// output. Which task runs where, and how often, is the coordinator's.
//
// # Model
//
//	map     split ─ blocks or records ─ Mapper ─ Collector ─ sorted runs ─ merge ─ exchange file
//	                                                └ (nothing combines) scatter ┘
//	merge   a partition of some exchange files ─ merge or fold, combine ─ exchange file
//	reduce  exchange files ─ merge, or fold, or sort ─ groups ─ Reducer ─ Sink ─ part of the output
//	sample  split (a little of it) ─ Mapper ─ keys
//
// A key is a string of bytes. Typed keys are encoded so that the order of the
// bytes is the order of the keys ([Kind]). A value is an int64, a float64, or
// a string of bytes; its kind is fixed for a step, so that a column of values
// is one Arrow array and no value is boxed.
//
// Where nothing combines, pairs are not stored and not sorted in the map: they go
// to their partitions as they come ([shuffle.PartitionedWriter]), and the reduce
// task sorts them once. It does not copy them for that: it keeps the mapped
// records, and of each pair its place and the prefix of its key. Past its memory
// it spills sorted runs and merges them.
//
// Else the collector keeps one of three stores. A [Tally] holds accumulators where
// the combiner is a [Fold] over integers; slots hold a short list of numbers for
// each key where it is a program's function; the memory of both is that of the
// distinct keys. Records hold every pair, for a combiner over groups. All are sorted at the end, and flush a
// run to scratch space when they pass their share of the executor's memory. Runs
// have the exchange's own format, so that spilling, shuffling and merging are
// one piece of code.
//
// Where the reduce is the collector's fold over again (a sum of sums), nobody
// needs the exchange file in order: the map task leaves out the sort, and the
// reduce task folds what it reads in a Tally of its own and sorts once.
//
// A reduce task has one partition or several neighbouring ones. Those it opens
// together and reduces one after the other; each is to user code a task of its own,
// with its part, side files and scratch space. Small parts go to the store while
// the next partitions are reduced. A merge task combines one
// partition of some map outputs, where the coordinator divided it; what it writes
// takes their place.
//
// # Laws
//
//	W1  Every partition of an exchange file and of a spilled run is sorted by
//	    key in the job's order; pairs with equal keys keep the order in which
//	    they were emitted. Exchange files whose reader folds or sorts are not
//	    sorted: a fold's are in any order, others in that of emission.
//	W2  A merge breaks ties by map task, and a sort takes map tasks in order. Together with W1 the values of a key
//	    arrive in input order, whatever the splits, the partitions, the memory
//	    or the number of executors: the answer is the same bytes.
//	W3  A fold runs on the map side only if its order cannot matter: sums,
//	    minima and maxima of integers. Floating-point sums are added once, in
//	    input order, on the reduce side.
//	W4  A task allocates and calls through interfaces per block, per batch and
//	    per distinct key; never per record of a built-in.
//	W5  Nothing of a task can be seen before it is done: an exchange file gets
//	    its name at its commit, a part is named by the coordinator's manifest.
//	    A try that fails removes what it wrote.
//	W6  What memory holds is bounded by the executor's share for a slot, plus
//	    one block and one batch; one record must fit. What a reduce task reads
//	    counts there, but for mapped files, of which it has half as much again.
//	W7  Where exchange files lie does not show, but by what they outlive
//	    (spec.Shuffle.Durability). In shared memory they have at most a quarter of
//	    the executor's memory; the next ones lie on the disk.
//
// # Left out
//
// The control loop (loop.go beside this, the coordinator's other half), file
// formats (package input and package output) and the protocols scripts speak
// (package script).
package work
