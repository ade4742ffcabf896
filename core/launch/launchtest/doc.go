// Package launchtest is the conformance suite of [launch.Launcher]: what an
// engine's package has to do is what passes here.
//
// # Model
//
// The executors are the test binary itself, started as an agent: it dials a
// unix socket in the gang's directory and does what the test says (exit,
// print, read, write, dial, allocate, start a child), one command and one
// answer at a time. Nothing waits for time to pass: an agent that dies closes
// its connection, an end arrives on Exits.
//
//	func TestMain(m *testing.M) { launchtest.Main(); os.Exit(m.Run()) }
//
// The binary must be a static file (CGO_ENABLED=0); one that is not is run
// with the machine's userland where the engine has images.
package launchtest
