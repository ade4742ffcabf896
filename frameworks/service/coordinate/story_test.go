package coordinate

import (
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

const fast = `"update": {"settle": "0s", "maxUnavailable": 1, "maxSurge": 0, "within": "1m"}`

func TestRolloutWithoutSurge(t *testing.T) {
	w := newWorld(t, 3, `{"exec": ["ok", "1"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(3, `{"exec": ["ok", "2"], `+fast+`}`)
	w.until("version 2", 60_000, func() bool {
		if len(w.gangs) > 3 {
			w.fail("%d gangs without surge", len(w.gangs))
		}
		return w.settledOn(2)()
	})
	if w.m.Good != 2 || w.m.version(2).State != good {
		t.Errorf("good is %d, version 2 %s", w.m.Good, w.m.version(2).State)
	}
}

// With surge and nothing that may be missing, all copies are ready throughout.
func TestRolloutWithSurge(t *testing.T) {
	const update = `"update": {"settle": "0s", "maxUnavailable": 0, "maxSurge": 1}`
	w := newWorld(t, 2, `{"exec": ["ok", "1"], `+update+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(2, `{"exec": ["ok", "2"], `+update+`}`)
	w.until("version 2", 60_000, func() bool {
		if w.ready(0) < 2 {
			w.fail("%d copies are ready", w.ready(0))
		}
		return w.settledOn(2)()
	})
}

// The same spec is no new version; another size alone is none either.
func TestDeployOfTheSame(t *testing.T) {
	w := newWorld(t, 2, `{"exec": ["ok"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	if a := w.deploy(2, `{`+fast+`, "exec": ["ok"]}`); string(a.Result) != `{"version":1,"size":2,"changed":false}` {
		t.Errorf("the same spec answers %s", a.Result)
	}
	if a := w.deploy(4, `{"exec": ["ok"], `+fast+`}`); string(a.Result) != `{"version":1,"size":4,"changed":true}` {
		t.Errorf("more copies answer %s", a.Result)
	}
	w.until("four copies", 10_000, w.settledOn(1))
}

// A version that crashes is given up after its tries, and the one before is
// back; the service never had too few copies.
func TestRollback(t *testing.T) {
	for _, bad := range []string{"crash", "mute"} {
		w := newWorld(t, 4, `{"exec": ["ok"], `+fast+`}`)
		w.until("version 1", 10_000, w.settledOn(1))
		w.deploy(4, `{"exec": ["`+bad+`"], "startWithin": "5s", `+fast+`}`)
		w.until("the way back", 60_000, w.settledOn(1))
		v := w.m.version(2)
		if v.State != failed || !strings.HasPrefix(v.Note, "web-0 did not get ready in 3 tries") {
			t.Errorf("%s: version 2 is %s: %s", bad, v.State, v.Note)
		}
		if a := w.command("rollback", ""); a.Refused == nil {
			t.Errorf("%s: a rollback to nothing answers %s", bad, a.Result)
		}
	}
}

// A version whose gangs cannot start at all is given up the same way.
func TestRollbackOfRefused(t *testing.T) {
	w := newWorld(t, 2, `{"exec": ["ok"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.refuse = "gone"
	w.deploy(2, `{"exec": ["gone"], `+fast+`}`)
	w.until("the way back", 60_000, w.settledOn(1))
	if v := w.m.version(2); v.State != failed || !strings.Contains(v.Note, "no such image") {
		t.Errorf("version 2 is %s: %s", v.State, v.Note)
	}
}

// A first version that fails has nothing to go back to: the service goes on
// trying, and a good version mends it.
func TestFirstVersionFails(t *testing.T) {
	w := newWorld(t, 2, `{"exec": ["crash"], `+fast+`}`)
	w.until("the failure", 60_000, func() bool { return w.m.Rollout == nil })
	w.pass(120_000)
	if w.over != nil {
		t.Fatalf("the service ended: %v", w.over)
	}
	w.deploy(2, `{"exec": ["ok"], `+fast+`}`)
	w.until("version 2", 60_000, w.settledOn(2))
}

// Canaries go first and alone; a canary that fails after it was ready is the
// end of its version.
func TestCanary(t *testing.T) {
	const canary = `"update": {"settle": "0s", "maxUnavailable": 1, "canary": {"copies": 2, "hold": "10s"}}`
	w := newWorld(t, 5, `{"exec": ["ok", "1"], `+canary+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(5, `{"exec": ["ok", "2"], `+canary+`}`)
	w.until("the canaries", 20_000, func() bool { return w.ready(2) == 2 })
	began := w.now
	w.until("the others", 30_000, func() bool { return w.ready(2) > 2 })
	if w.now-began < 10_000 {
		t.Errorf("the others followed after %d ms", w.now-began)
	}
	w.until("version 2", 60_000, w.settledOn(2))

	w.deploy(5, `{"exec": ["brittle"], `+canary+`}`)
	w.until("the way back", 60_000, func() bool {
		if n := w.ready(3); n > 2 {
			w.fail("%d copies have a version whose canaries fail", n)
		}
		return w.settledOn(2)()
	})
	if v := w.m.version(3); v.State != failed || !strings.Contains(v.Note, "a canary, failed: exit status 2") {
		t.Errorf("version 3 is %s: %s", v.State, v.Note)
	}
}

// Where there is room for it, a canary is tried beside the copy that it is to
// replace: when it fails nothing was missing.
func TestCanaryBeside(t *testing.T) {
	const canary = `"update": {"settle": "0s", "maxUnavailable": 0, "maxSurge": 1, "canary": {"copies": 2, "hold": "10s"}}`
	one := strings.Replace(canary, `"copies": 2`, `"copies": 1`, 1)
	w := newWorld(t, 2, `{"exec": ["ok", "1"], `+one+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(2, `{"exec": ["brittle"], `+one+`}`)
	w.until("the canary", 20_000, func() bool { return w.ready(2) == 1 })
	w.until("the way back", 60_000, func() bool {
		if n := w.ready(1); n < 2 {
			w.fail("%d copies of the good version are ready", n)
		}
		return w.settledOn(1)()
	})
	w.deploy(2, `{"exec": ["ok", "3"], `+one+`}`)
	w.until("version 3", 60_000, w.settledOn(3))
	w.deploy(2, `{"exec": ["ok", "4"], `+canary+`}`)
	w.until("version 4, whose second canary needs the room", 60_000, w.settledOn(4))
}

// An update during an update takes its place.
func TestSuperseded(t *testing.T) {
	w := newWorld(t, 3, `{"exec": ["ok", "1"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(3, `{"exec": ["ok", "2"], `+fast+`}`)
	w.until("some of version 2", 20_000, func() bool { return w.ready(2) == 1 })
	w.deploy(3, `{"exec": ["ok", "3"], `+fast+`}`)
	w.until("version 3", 60_000, w.settledOn(3))
	if s := w.m.version(2).State; s != superseded {
		t.Errorf("version 2 is %s", s)
	}
}

// A paused rollout changes nothing, but copies that fail come back as they were.
func TestPause(t *testing.T) {
	w := newWorld(t, 3, `{"exec": ["ok", "1"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	if a := w.command("pause", ""); core.KindOf(a.Refused) != core.Conflict {
		t.Errorf("a pause of nothing answers %v", a)
	}
	w.deploy(3, `{"exec": ["ok", "2"], `+fast+`}`)
	w.until("one of version 2", 20_000, func() bool { return w.ready(2) == 1 })
	w.command("pause", "")
	w.pass(5_000)
	mixed := w.ready(2)
	w.kill("web-2")
	w.pass(300_000)
	if w.ready(2) != mixed || w.ready(1) != 3-mixed {
		t.Errorf("paused with %d new copies, and %d, %d are ready", mixed, w.ready(1), w.ready(2))
	}
	w.command("resume", "")
	w.until("version 2", 60_000, w.settledOn(2))
}

// The pause between failures doubles up to its most; the executor is replaced
// after so many in place; a failure is forgiven with time.
func TestBackoff(t *testing.T) {
	w := newWorld(t, 1, `{"exec": ["crash"], "restart": {"inPlace": 2, "backoff": "1s", "max": "8s"}, `+fast+`}`)
	w.pass(120_000)
	var runs []int64
	var last string
	for _, line := range w.trace {
		var at, n int64
		if f := strings.Fields(line); f[1] == "run" {
			last = f[2]
			for _, d := range f[0] {
				at = at*10 + int64(d-'0')
			}
			n = int64(len(runs))
			_ = n
			runs = append(runs, at)
		}
	}
	if len(runs) < 8 {
		t.Fatalf("%d runs: %v", len(runs), runs)
	}
	for i := 1; i < len(runs); i++ {
		gap, want := runs[i]-runs[i-1]-500, min(int64(1000)<<(i-1), 8000)
		if gap < want || gap > want+1500 {
			t.Errorf("pause %d is %d ms, want about %d", i, gap, want)
		}
	}
	if last == "web-0" {
		t.Error("the executor was never replaced")
	}
	for _, line := range []string{"run web-0 #3 v1", "run web-0.g2 #1 v1"} {
		if !slices.ContainsFunc(w.trace, func(s string) bool { return strings.HasSuffix(s, line) }) {
			t.Errorf("there is no %q", line)
		}
	}
}

func TestForgiven(t *testing.T) {
	w := newWorld(t, 1, `{"exec": ["ok"], "restart": {"decay": "10s"}, `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	for range 4 {
		w.crash("web-0")
		w.until("the copy", 60_000, func() bool { return w.ready(0) == 1 })
	}
	if f := w.m.Slots[0].Failures; f < 3 {
		t.Fatalf("%d failures", f)
	}
	w.pass(60_000)
	w.crash(w.names()[0])
	if f := w.m.Slots[0].Failures; f != 1 {
		t.Errorf("%d failures after a minute of being ready", f)
	}
}

// Ordered services start one after the other and stop in reverse.
func TestOrdered(t *testing.T) {
	w := newWorld(t, 3, `{"exec": ["ok"], "ordered": true, `+fast+`}`)
	w.until("version 1", 30_000, w.settledOn(1))
	w.command("scale", `{"size": 1}`)
	w.until("one copy", 30_000, w.settledOn(1))
	w.command("scale", `{"size": 3}`)
	w.until("three copies", 30_000, w.settledOn(1))
	w.ending = true
	w.step(End{Reason: "enough"})
	w.deliver()
	w.pass(60_000)
	if core.KindOf(w.over) != core.Cancelled || len(w.gangs) > 0 {
		t.Errorf("it ends with %v and gangs %v", w.over, w.names())
	}
	var order []string
	for _, line := range w.trace {
		if f := strings.Fields(line); f[1] == "run" || f[1] == "halt" {
			order = append(order, f[1]+" "+f[2])
		}
	}
	want := []string{"run web-0", "run web-1", "run web-2", "halt web-2", "halt web-1", "run web-1.g2", "run web-2", "halt web-2", "halt web-1.g2", "halt web-0"}
	want[6], want[7] = "run web-2.g2", "halt web-2.g2"
	if got := strings.Join(order, ", "); got != strings.Join(want, ", ") {
		t.Errorf("it went %s, want %s", got, strings.Join(want, ", "))
	}
}

// Copies with volumes come back to their node, one at a time in a slot.
func TestVolumes(t *testing.T) {
	const body = `"volumes": [{"name": "data"}], "update": {"settle": "0s", "maxSurge": 3}`
	w := newWorld(t, 2, `{"exec": ["ok", "1"], `+body+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.kill("web-1")
	w.until("the copy", 10_000, w.settledOn(1))
	ask := w.gangs["web-1.g2"].ask
	if ask.Volumes[0] != (core.Volume{Name: "web.data.1", Path: "/capstan/volumes/data", Env: "VOLUME_DATA"}) ||
		len(ask.Constraints) != 1 || ask.Constraints[0] != (core.Constraint{Attribute: "host", Operator: "LIKE", Value: "^n$"}) {
		t.Errorf("the new copy asks for %+v", ask)
	}
	w.deploy(2, `{"exec": ["ok", "2"], `+body+`}`)
	w.until("version 2", 60_000, w.settledOn(2))
}

// A coordinator that comes back amid a rollout finds its copies and goes on;
// commands it had done are answered again, and done once.
func TestRestartAmidRollout(t *testing.T) {
	w := newWorld(t, 3, `{"exec": ["ok", "1"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.deploy(3, `{"exec": ["ok", "2"], `+fast+`}`)
	for range 6 {
		w.pass(750)
		w.restart()
		w.step(Asked{core.Command{Number: 1, Verb: core.VerbDeploy, Args: []byte(`{"repeated": true}`)}})
		w.deliver()
		if a := w.answers[1]; a.Refused != nil || string(a.Result) != `{"version":2,"size":3,"changed":true}` {
			t.Fatalf("the repeated command answers %s, %v", a.Result, a.Refused)
		}
	}
	w.until("version 2", 60_000, w.settledOn(2))
	if n := w.m.Versions[len(w.m.Versions)-1].Number; n != 2 {
		t.Errorf("there are versions up to %d", n)
	}
}

// The host may start what was planned although it is no longer wanted.
func TestPlannedStrangers(t *testing.T) {
	w := newWorld(t, 1, `{"exec": ["ok"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.kill("web-0")
	w.until("the copy", 10_000, w.settledOn(1))
	w.gangs["web-0"] = &executor{up: true}
	w.restart()
	w.deliver()
	if w.gangs["web-0"] != nil {
		t.Error("a gang that nobody wants is still there")
	}
}

// While nodes fail, an update takes nothing more; it goes on when they are back.
func TestUpdateAmidFailures(t *testing.T) {
	const update = `"update": {"settle": "0s", "maxUnavailable": 2, "maxSurge": 0}`
	w := newWorld(t, 6, `{"exec": ["ok", "1"], `+update+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.room = 3
	for _, gang := range []string{"web-3", "web-4", "web-5"} {
		w.kill(gang)
	}
	w.deploy(6, `{"exec": ["ok", "2"], `+update+`}`)
	w.pass(60_000)
	if w.ready(1) != 3 || w.ready(2) != 0 {
		t.Errorf("%d old and %d new copies are ready", w.ready(1), w.ready(2))
	}
	w.room = 6
	w.until("version 2", 60_000, w.settledOn(2))
}

// A copy that has to give way comes back elsewhere.
func TestYield(t *testing.T) {
	w := newWorld(t, 2, `{"exec": ["ok"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	w.excused["web-0"] = true
	w.step(Yield{Gang: "web-0", Until: w.now + 2_000, Reason: "a better job"})
	w.deliver()
	w.until("the copy", 20_000, w.settledOn(1))
	if w.gangs["web-0"] != nil || w.gangs["web-0.g2"] == nil {
		t.Errorf("there are %v", w.names())
	}
}

// History has a bound, and what is in use stays in it.
func TestHistory(t *testing.T) {
	w := newWorld(t, 1, `{"exec": ["ok", "0"], `+fast+`}`)
	w.until("version 1", 10_000, w.settledOn(1))
	for i := range 20 {
		w.deploy(1, `{"exec": ["mute", "`+string(rune('a'+i))+`"], `+fast+`}`)
	}
	if n := len(w.m.Versions); n > keptVersions+1 {
		t.Errorf("%d versions are kept", n)
	}
	if a := w.command("rollback", `{"to": 1}`); a.Refused != nil {
		t.Error(a.Refused)
	}
	w.until("version 1", 20_000, w.settledOn(1))
	if a := w.command("rollback", `{"to": 5}`); core.KindOf(a.Refused) != core.NotFound {
		t.Errorf("a version that is forgotten answers %v", a)
	}
}
