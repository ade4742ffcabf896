// Package work is the worker of Spark jobs: one rank of the cluster that a gang
// makes for one application.
//
// # Model
//
//	Begin ──→ master       org.apache.spark.deploy.master.Master
//	Serve ──→ worker       org.apache.spark.deploy.worker.Worker
//	Drive ──→ application  spark-submit ─ REST ─→ Seen ─ end ─→ results, events ─→ Done
//	Stop  ──→ all of them end
//
// # Laws
//
//	W1  A rank runs at most one of each, of one run: what it holds of an earlier run
//	    has ended before the next begins.
//	W2  A part is told to be up when Spark itself says so: the master by its own
//	    page, a worker by the master's.
//	W3  A worker's process that ends is started again, three times at most; the
//	    master's end is the end of the run.
//	W4  Whoever has not the run's secret can neither register a worker nor submit an
//	    application: the ports may be open to others on the machine.
//	W5  Done is sent when the results and the event log are kept.
//	W6  Of what Spark logs at level INFO the job's log has nothing; the application's
//	    stdout it has whole.
//
// # Left out
//
// What spark.* properties mean. An application that sets its own master (local[2])
// does not run on the gang: Spark prefers what the code says.
package work
