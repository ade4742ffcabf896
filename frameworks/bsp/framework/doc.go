// Package framework makes BSP a core.Framework: what the host, the plugin
// process and every executor of a BSP job call.
//
// # Model
//
//	Describe  the schema, an example, what ships with a job
//	Plan      check ─ list input ─ look at output ─ ask for one gang, "main"
//	Run       package coordinate, with input, output and store around it
//	Work      package work, with the built-in algorithms or this binary's functions
//
// # Laws
//
//	F1  Plan changes nothing. What it cannot see without the store (s3:// inputs
//	    and outputs) Run looks at before the program begins.
//	F2  The gang sees exactly the folders its file:// inputs lie in, read-only,
//	    and exactly the prefixes its s3:// inputs and output name.
//	F3  The coordinator commits; executors write below the attempt's prefix only.
//	F4  A fault of an algorithm's options is found when the document is checked,
//	    by the code that will read them.
//
// # Left out
//
// User code in the coordinator: a program runs in executors only.
package framework
