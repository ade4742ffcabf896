// Package spark holds kind Spark: an unmodified Spark application as a gang.
//
// # Model
//
// A gang is a standalone Spark cluster for one application. Rank 0 has the role
// driver: it runs Spark's master and the application. The other ranks run a
// Spark worker each; a gang of one runs all three in its one executor.
//
//	rank 0  master ←─ register ─┬─ worker  rank 1 ─ executor JVM
//	        spark-submit ─tasks─┴─ worker  rank 2 ─ executor JVM
//
// # Rooms
//
//	spec        the `spec:` of a Spark document: form, defaults, faults
//	framework   core.Framework: what the host and every executor call
//	coordinate  what starts when, what a loss means, how the job ended; a machine
//	task        what coordinator and worker say to each other
//	work        one rank: the distribution, the processes, progress, results
//
// # Left out
//
// Spark itself: the distribution is the user's. Dynamic allocation and an
// external shuffle service: the gang is the allocation. Cluster deploy mode: the
// driver is in the gang as it is.
package spark
