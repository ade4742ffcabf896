// Package framework makes MapReduce a core.Framework: what the host, the
// plugin process and every executor of a MapReduce job call.
//
// # Model
//
//	Describe  the schema, an example, what ships with a job
//	Plan      check ─ list input ─ look at output ─ ask for one gang, "main"
//	Run       package coordinate, with input, output and store around it
//	Work      package work behind its loop, with the functions of this binary
//
// # Laws
//
//	F1  Plan changes nothing. What it cannot see without the store (s3:// inputs
//	    and outputs) Run looks at before it starts a task.
//	F2  The gang sees exactly the folders its file:// inputs lie in, read-only,
//	    and exactly the prefixes its s3:// inputs and output name.
//	F3  The coordinator commits; executors write below the attempt's prefix only.
//
// # Left out
//
// User code in the coordinator: functions of a Go program run in executors only.
package framework
