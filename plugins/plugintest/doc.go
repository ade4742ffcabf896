// Package plugintest lets the author of a framework test it without a host or
// a container: [Gang] runs the coordinator and its workers in the test's own
// process, and [Conform] checks what the host relies on.
//
//	func TestPi(t *testing.T) {
//		report, err := plugintest.Run(t, Pi{}, spec(t, `{"terms": 1000}`), plugintest.Options{Size: 4})
//		…
//	}
//
// Left out: placement, limits, and whatever needs a process of its own, such
// as a worker that calls os.Exit.
package plugintest
