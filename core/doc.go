// Package core holds Capstan's nouns and the few interfaces between its rooms.
//
// # Model
//
// A user submits a [Job]: one [Spec] of one kind. A [Framework] (a plugin)
// understands the kind. The host plans the job, grants it a gang (executors
// placed all together or not at all), starts the executors through a launcher,
// and runs the framework's coordinator, one per attempt, as a plugin process
// beside itself. The coordinator sends opaque messages to the workers, one in
// every executor, over the executors' single outbound stream to the host. Data
// never takes that road: it moves through package shuffle.
//
//	submit ─ plan ─ journal ─ place ─ start ─ run ─ commit ─ end
//	          │                 │       │      │
//	       Framework          gang   launch  Coordinator ⇄ host ⇄ Worker × size
//
// # Laws
//
//	C1  An attempt is numbered by its [Epoch]. A writer of an older epoch can
//	    commit nothing: its store gate is closed and its certificate refused.
//	C2  A gang is whole or it is not: no noun here can express half a gang.
//	C3  Errors that reach a user are [*Error]: what happened, where, and what
//	    to do. The [ErrKind] survives the wire and fixes the exit code.
//	C4  Messages between a coordinator and its workers never cross a
//	    coordinator's generation: after a restart of the host or the plugin,
//	    the new coordinator learns the workers' state by asking them.
//	C5  Nothing here reads a clock, starts a goroutine or does I/O.
//
// # Left out
//
// Arrow, S3, Docker, gRPC and every framework: core imports nothing of ours
// but itself, and of others only the standard library.
package core
