// Package scenarios holds the built binary to what the README promises: it
// starts real hosts with the docker and the process launcher, runs real jobs,
// and kills, freezes, starves and misleads them. It has no code of its own,
// only tests.
//
// # Model
//
//	TestMain ─ go build ─→ capstan
//	lab      ─ capstan up --state /tmp/cs-… ─→ a host of the scenario's own
//	           capstan run, status, … as a user would
//	           kill, SIGSTOP, full disks as life would
//	           leftovers: what is there that should not be
//
// Jobs stop where a scenario wants them: the corpus holds lines such as
// "@hold m1", on which the test's mapper or reducer says "holding m1" in its log
// and waits for a file of that name beside the input. So a phase is reached by an
// event and left by another, and no test sleeps or measures.
//
// # Laws
//
//	S1  The expected answer is computed by the test, from the corpus it wrote.
//	S2  Every scenario ends with the look for leftovers: containers, networks,
//	    processes, gang folders, temporary objects, sockets.
//	S3  A scenario owns its state directory, so scenarios run side by side.
//
// The docker launcher takes part where an engine answers; with
// CAPSTAN_REQUIRE_DOCKER=1 it must.
package scenarios
