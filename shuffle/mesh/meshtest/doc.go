// Package meshtest is the suite that every kind of mesh link passes: in
// process, shared memory, network, and mixtures.
//
// # Model
//
// [Run] asks a [Make] for small gangs and holds them to the laws of package
// mesh. All ranks live in the test's process; what only separate processes
// show (a kill, for one) is tested beside the transport.
//
// # Laws
//
//	T1  No test waits for a time to pass: it waits for an event, or for a call
//	    that must return. A call that hangs is ended by the test's deadline.
//	T2  Every payload says who sent it and which it is, and is checked whole.
package meshtest
