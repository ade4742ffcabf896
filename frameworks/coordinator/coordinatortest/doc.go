// Package coordinatortest is what a coordinator has to bear, for the tests of
// every framework that has one: [Run] drives a framework's own coordinator and
// workers through it, and holds each answer against that of an undisturbed run.
//
// # Model
//
// A [World] is a host with its executors in one process, within a synctest
// bubble: time is the bubble's, and a goroutine left behind fails the test. What
// a coordinator does to the world (asks for a gang, sends, saves, commits) and
// what a worker says is a step, and the world counts them.
//
//   - Each coordinator is killed before and after each of its steps.
//   - Each executor is killed at each of its steps.
//   - In a storm messages come late, twice, and in another order than they were
//     sent by different ranks; coordinators and executors die, and the gang has
//     to give way, as chance will have it, from a seed.
//
// # Laws
//
//	W1  A killed coordinator does nothing more: whatever it asks of the world
//	    fails, and leaves no trace.
//	W2  Between a coordinator and a rank messages keep their order. A second copy
//	    of a message comes later, in any order. (The host makes no second copies;
//	    a coordinator that bears them bears a worker that repeats itself.)
//	W3  What an executor sent to an older generation vanishes, and so does what
//	    was on its way when another executor took its place, either way: also what
//	    a coordinator sends that has not yet taken the event of the new one.
//	W4  A commit that is repeated brings the same result.
//
// # Left out
//
// Placement, and gangs but one: a subject whose gangs come and go needs a host.
package coordinatortest
