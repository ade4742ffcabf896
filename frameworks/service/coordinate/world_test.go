package coordinate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fatal is what a world needs of a test.
type fatal interface {
	Fatalf(format string, args ...any)
	Helper()
}

// world plays the host and the workers of one service, and holds the machine to
// its laws at every step. What a version's command does is its first word:
//
//	ok       ready after a second
//	crash    ends after half a second, never ready
//	mute     runs and is never ready
//	brittle  ready after a second, and ends two seconds later
type world struct {
	t     fatal
	m     *Machine
	job   *core.Job
	now   int64
	gangs map[string]*executor
	asked map[string]bool // every gang that was ever wanted in this life
	room  int             // most gangs that come up
	said  []string
	over  error
	trace []string
	// excused are gangs whose end is not the service's own doing.
	excused  map[string]bool
	ending   bool
	commands int64
	answers  map[int64]core.Answer
	refuse   string  // versions' command whose gangs are refused
	largest  int     // size that was ever wanted
	later    []Event // what the machine has not heard yet
}

// executor is a gang and its worker.
type executor struct {
	ask    core.GangAsk
	up     bool
	run    *wire.Run
	status wire.Status
	since  int64 // when the run began, or was told to stop
	// heard and ready are what this machine was told: it cannot know more.
	heard, ready bool
}

func jobOf(size int, body string) *core.Job {
	return &core.Job{ID: "web", Spec: specOf(size, body)}
}

func specOf(size int, body string) core.Spec {
	return core.Spec{APIVersion: "capstan/v1", Kind: "Service", Metadata: core.Metadata{Name: "web"},
		Gang: core.Gang{Size: size, CPU: 100, Memory: 1 << 20}, Body: json.RawMessage(body)}
}

func newWorld(t fatal, size int, body string) *world {
	w := &world{t: t, job: jobOf(size, body), now: 1_000_000, gangs: map[string]*executor{}, asked: map[string]bool{},
		room: 1 << 20, excused: map[string]bool{}, answers: map[int64]core.Answer{}, largest: size}
	w.begin(nil)
	return w
}

// begin starts a machine.
func (w *world) begin(saved []byte) {
	w.t.Helper()
	var state *State
	if saved != nil {
		var err error
		if state, err = DecodeState(saved); err != nil {
			w.t.Fatalf("%v", err)
		}
	}
	m, err := New(w.job, state, []string{"web-0"})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.m = m
	for _, x := range w.gangs {
		x.heard, x.ready = false, false
	}
	w.step(Begin{})
}

// restart is a crash of the coordinator.
func (w *world) restart() {
	w.t.Helper()
	b, err := w.m.State.Encode()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.begin(b)
}

// step gives the machine an event and plays the effects.
func (w *world) step(e Event) {
	w.t.Helper()
	if h, ok := e.(Heard); ok {
		if x := w.gangs[h.Gang]; x != nil {
			x.heard, x.ready = true, h.Status.Ready
		}
	}
	effects := w.m.Step(w.now, e)
	if _, begin := e.(Begin); begin {
		w.asked = map[string]bool{}
	}
	for _, f := range effects {
		w.play(f)
	}
	w.check()
}

func (w *world) play(f Effect) {
	w.t.Helper()
	switch f := f.(type) {
	case Want:
		w.want(f.Ask)
	case Release:
		w.ends(f.Gang, "released")
		delete(w.gangs, f.Gang)
		w.log("release %s", f.Gang)
	case Tell:
		w.obey(f.Gang, f.Order)
	case Reply:
		w.answers[f.Number] = f.Answer
	case Say:
		w.said = append(w.said, f.Text)
		w.log("say %s", f.Text)
	case Done:
		w.over = f.Err
	}
}

func (w *world) log(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%7d  ", w.now-1_000_000)+fmt.Sprintf(format, args...))
}

func (w *world) want(ask core.GangAsk) {
	w.t.Helper()
	if w.asked[ask.Name] {
		w.fail("gang %s is wanted twice (law S4)", ask.Name)
	}
	w.asked[ask.Name] = true
	if ask.Size != 1 || !ask.Optional || ask.Restart != "none" {
		w.fail("gang %s is no copy: %+v", ask.Name, ask)
	}
	if w.gangs[ask.Name] == nil {
		w.gangs[ask.Name] = &executor{ask: ask}
		w.log("want %s", ask.Name)
	} else if w.gangs[ask.Name].up {
		w.gangs[ask.Name].ask = ask
		w.later = append(w.later, Up{Gang: ask.Name, Node: "n", Resumed: true})
	}
}

// ends holds a voluntary end of a copy to law S2.
func (w *world) ends(gang, how string) {
	w.t.Helper()
	x := w.gangs[gang]
	if x == nil || !x.status.Ready || w.excused[gang] || w.ending || x.heard && !x.ready {
		return
	}
	others := 0
	for name, o := range w.gangs {
		if name != gang && o.ready {
			others++
		}
	}
	if !x.heard && !w.strange(gang) {
		w.fail("%s is %s, and nothing was heard of it (law S2)", gang, how)
	}
	missing := w.m.mayMiss()
	if others < w.m.Size-missing {
		w.fail("%s was ready and is %s: %d others are ready, and %d of %d may be missing (law S2)", gang, how, others, missing, w.m.Size)
	}
}

func (w *world) obey(gang string, o wire.Order) {
	w.t.Helper()
	x := w.gangs[gang]
	if x == nil || !x.up {
		return // messages to a lost rank vanish
	}
	if o.Run != nil && o.Run.Number > x.status.Number {
		x.run, x.since = o.Run, w.now
		x.status = wire.Status{Number: o.Run.Number, Phase: wire.Running, Address: "a", Ports: make([]int, len(o.Run.Body.Ports))}
		w.log("run %s #%d v%d", gang, o.Run.Number, o.Run.Version)
	}
	if o.Halt != nil && o.Halt.Number >= x.status.Number && x.status.Phase == wire.Running {
		w.ends(gang, "told to stop")
		x.ready = false
		x.status.Phase, x.status.Ready, x.since = wire.Stopping, false, w.now
		w.log("halt %s", gang)
	}
	w.later = append(w.later, Heard{Gang: gang, Status: x.status})
}

// strange reports whether the machine has no copy of a gang.
func (w *world) strange(gang string) bool { return w.m.copy(gang) == nil }

// pass lets time go by, in ticks of a quarter of a second.
func (w *world) pass(millis int64) {
	w.t.Helper()
	for until := w.now + millis; w.now < until && w.over == nil; {
		w.now += 250
		w.live()
		w.step(Tick{})
		w.deliver()
	}
}

// deliver gives the machine what was said since, and what came of that.
func (w *world) deliver() {
	w.t.Helper()
	for len(w.later) > 0 && w.over == nil {
		e := w.later[0]
		w.later = w.later[1:]
		if h, ok := e.(Heard); ok && w.gangs[h.Gang] == nil {
			continue
		}
		w.step(e)
	}
}

// live moves the executors on.
func (w *world) live() {
	up := 0
	for _, x := range w.gangs {
		if x.up {
			up++
		}
	}
	for _, gang := range w.names() {
		x := w.gangs[gang]
		before := x.status
		if !x.up {
			w.come(gang, x, &up)
			continue
		}
		age := w.now - x.since
		switch {
		case x.status.Phase == wire.Stopping && age >= 500:
			x.status.Phase = wire.Ended
		case x.status.Phase != wire.Running:
		case w.does(x, "ok"):
			x.status.Ready = x.status.Ready || age >= 1000
		case w.does(x, "crash") && age >= 500:
			x.status.Phase, x.status.Why = wire.Ended, "exit status 1"
		case w.does(x, "brittle") && age >= 3000:
			x.status.Phase, x.status.Ready, x.status.Why = wire.Ended, false, "exit status 2"
		case w.does(x, "brittle") && age >= 1000:
			x.status.Ready = true
		}
		if x.status.Phase != before.Phase || x.status.Ready != before.Ready {
			w.later = append(w.later, Heard{Gang: gang, Status: x.status})
		}
	}
}

// come brings a gang up if there is room, or refuses it.
func (w *world) come(gang string, x *executor, up *int) {
	switch {
	case w.refuse != "" && w.m.copy(gang) != nil && w.m.version(w.m.copy(gang).Version).body.Exec[0] == w.refuse:
		delete(w.gangs, gang)
		w.later = append(w.later, Refused{Gang: gang, Reason: "no such image"})
	case *up < w.room:
		*up++
		x.up = true
		w.later = append(w.later, Up{Gang: gang, Node: "n"})
	}
}

func (w *world) does(x *executor, what string) bool { return x.run.Body.Exec[0] == what }

func (w *world) names() []string {
	var list []string
	for gang := range w.gangs {
		list = append(list, gang)
	}
	slices.Sort(list)
	return list
}

// kill ends an executor from outside.
func (w *world) kill(gang string) {
	w.t.Helper()
	if x := w.gangs[gang]; x != nil {
		delete(w.gangs, gang)
		if x.up {
			w.step(Lost{Gang: gang, Reason: "killed by signal 9"})
			w.deliver()
		}
	}
}

// crash ends a copy's command.
func (w *world) crash(gang string) {
	w.t.Helper()
	x := w.gangs[gang]
	if x == nil || x.status.Phase != wire.Running {
		return
	}
	x.status.Phase, x.status.Ready, x.status.Why = wire.Ended, false, "killed by signal 9"
	w.step(Heard{Gang: gang, Status: x.status})
	w.deliver()
}

// command asks something and answers what came of it.
func (w *world) command(verb, args string) core.Answer {
	w.t.Helper()
	w.commands++
	w.step(Asked{core.Command{Number: w.commands, Verb: verb, Args: []byte(args)}})
	w.largest = max(w.largest, w.m.Size)
	w.deliver()
	return w.answers[w.commands]
}

func (w *world) deploy(size int, body string) core.Answer {
	w.t.Helper()
	b, _ := json.Marshal(specOf(size, body))
	return w.command(core.VerbDeploy, string(b))
}

// check holds the world to the laws that can be seen at any moment.
func (w *world) check() {
	w.t.Helper()
	w.largest = max(w.largest, w.m.Size)
	for i, s := range w.m.Slots {
		if len(s.Copies) > 1 && slices.ContainsFunc(s.Copies, w.m.sticky) {
			w.fail("slot %d has %d copies and volumes (law S6)", i, len(s.Copies))
		}
	}
	surge := 0
	for _, v := range w.m.Versions {
		_, s := v.body.Room(w.largest)
		surge = max(surge, s)
	}
	if n := len(w.m.copies()); n > w.largest+surge {
		w.fail("%d copies, where %d and %d more are allowed", n, w.largest, surge)
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace[max(0, len(w.trace)-100):], "\n"))
}

// ready counts the copies of a version that are ready; of any if version is 0.
func (w *world) ready(version int) int {
	n := 0
	for _, x := range w.gangs {
		if x.status.Ready && (version == 0 || x.run.Version == version) {
			n++
		}
	}
	return n
}

// until lets time pass until ok.
func (w *world) until(what string, within int64, ok func() bool) {
	w.t.Helper()
	for end := w.now + within; !ok(); {
		if w.now >= end {
			w.fail("waited %d ms in vain for %s; copies %v", within, what, w.m.copyTable().Rows)
		}
		w.pass(250)
	}
}

// settledOn reports whether all copies have a version and nothing is under way.
func (w *world) settledOn(version int) func() bool {
	return func() bool {
		return w.m.Rollout == nil && w.m.Target == version && w.ready(version) == w.m.Size && len(w.gangs) == w.m.Size
	}
}
