package coordinate

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is deployed, scaled, paused, killed and restarted: no copy that is
// needed is ended by the service itself (law S2, checked by the world at every
// step), and when it is left in peace with a good version it gets there.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 6).Draw(t, "size")
		body := func(what string, n int) string {
			common := fmt.Sprintf(`"startWithin": "5s", "update": {"settle": "%ds", "within": "2m", "maxUnavailable": %d, "maxSurge": %d`,
				rapid.IntRange(0, 2).Draw(t, "settle"), rapid.IntRange(0, 3).Draw(t, "unavailable"), rapid.IntRange(0, 3).Draw(t, "surge"))
			if rapid.Bool().Draw(t, "canary") {
				common += `, "canary": {"copies": 1, "hold": "3s"}`
			}
			common += "}"
			if rapid.Bool().Draw(t, "ordered") {
				common += `, "ordered": true`
			}
			if rapid.IntRange(0, 4).Draw(t, "sticky") == 0 {
				common += `, "volumes": [{"name": "data"}]`
			}
			return fmt.Sprintf(`{"exec": [%q, "%d"], %s}`, what, n, common)
		}
		w := newWorld(t, size, body("ok", 0))
		versions := []string{"ok", "crash", "mute", "brittle"}
		copies := func() string {
			if names := w.names(); len(names) > 0 {
				return rapid.SampledFrom(names).Draw(t, "copy")
			}
			return ""
		}
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				size = rapid.IntRange(1, 6).Draw(t, "size")
				w.deploy(size, body(rapid.SampledFrom(versions).Draw(t, "version"), i+1))
			case 1:
				size = rapid.IntRange(0, 6).Draw(t, "size")
				w.command("scale", fmt.Sprintf(`{"size": %d}`, size))
			case 2:
				w.command("rollback", "")
			case 3:
				w.command(rapid.SampledFrom([]string{"pause", "resume"}).Draw(t, "verb"), "")
			case 4:
				w.kill(copies())
			case 5:
				w.crash(copies())
			case 6:
				w.restart()
			case 7:
				w.room = rapid.IntRange(0, 8).Draw(t, "room")
			case 8:
				if gang := copies(); w.m.copy(gang) != nil {
					w.excused[gang] = true
					w.step(Yield{Gang: gang, Until: w.now + 1_000})
					w.deliver()
				}
			}
			w.pass(rapid.Int64Range(0, 40).Draw(t, "pass") * 250)
		}
		w.room = 1 << 20
		w.command("resume", "")
		w.deploy(max(size, 1), body("ok", 1000))
		w.until("the last version", 1_200_000, w.settledOn(w.m.Target))
		w.ending = true
		w.step(End{Reason: "enough"})
		w.deliver()
		w.pass(600_000)
		if w.over == nil || len(w.gangs) > 0 {
			w.fail("it does not end: gangs %v", w.names())
		}
	})
}
