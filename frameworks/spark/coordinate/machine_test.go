package coordinate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// words are effects as stories write them.
func words(effects []Effect) string {
	var list []string
	for _, f := range effects {
		switch f := f.(type) {
		case Send:
			list = append(list, fmt.Sprintf("%s %d", order(&f.Down), f.Rank))
		case Renew:
			list = append(list, "renew")
		case End:
			if f.Err == nil {
				list = append(list, "end well")
				continue
			}
			list = append(list, "end "+string(core.KindOf(f.Err))+" "+core.AsError(f.Err).What)
		}
	}
	return strings.Join(list, ", ")
}

func order(d *task.Down) string {
	switch {
	case d.Begin != nil:
		return fmt.Sprintf("begin#%d", d.Begin.Run)
	case d.Serve != nil:
		return fmt.Sprintf("serve#%d", d.Serve.Run)
	case d.Drive != nil:
		return fmt.Sprintf("drive#%d", d.Drive.Run)
	case d.Stop != nil:
		return fmt.Sprintf("stop(%v)", d.Stop.Grace)
	}
	return "ask"
}

func up(rank int, u task.Up) Event { return FromRank{rank, u} }

func ready(run int) Event {
	return up(0, task.Up{Ready: &task.Ready{Run: run, Master: "spark://m:1"}})
}

func serving(rank, run int) Event { return up(rank, task.Up{Serving: &task.Serving{Run: run}}) }

func done(run, code int) Event { return up(0, task.Up{Done: &task.Done{Run: run, Code: code}}) }

func stopped(rank int) Event { return up(rank, task.Up{Stopped: true}) }

// step is an event and the effects it must have.
type step struct {
	event Event
	want  string
}

func TestStories(t *testing.T) {
	started := []step{
		{GangUp{Size: 3}, "begin#1 0"},
		{ready(1), "serve#1 1, serve#1 2"},
		{serving(2, 1), ""},
		{serving(1, 1), "drive#1 0"},
	}
	for name, story := range map[string][]step{
		"goes well": append(slices.Clone(started),
			step{done(1, 0), "stop(0s) 0"}, step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(2), ""}, step{stopped(1), "end well"}, step{serving(1, 1), ""}),
		"the application fails": append(slices.Clone(started),
			step{done(1, 3), "stop(0s) 0"}, step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""}, step{stopped(2), "end failed app.py ended with exit status 3"}),
		"alone": {
			{GangUp{Size: 1}, "begin#1 0"}, {ready(1), "serve#1 0"}, {serving(0, 1), "drive#1 0"}, {done(1, 0), "stop(0s) 0"}, {stopped(0), "end well"}},
		"words of another run": append(slices.Clone(started), step{done(0, 0), ""}, step{done(2, 0), ""}, step{up(1, task.Up{Done: &task.Done{Run: 1}}), ""}),
		"a worker is lost and replaced (K2)": append(slices.Clone(started),
			step{RankLost{2, "killed"}, ""}, step{RankReplaced{2}, "serve#1 2"}, step{serving(2, 1), ""}, step{done(1, 0), "stop(0s) 0"}),
		"a worker is lost before the application starts (K1)": {
			{GangUp{Size: 3}, "begin#1 0"}, {RankLost{2, "killed"}, ""}, {ready(1), "serve#1 1"}, {serving(1, 1), ""}, {RankReplaced{2}, "serve#1 2"}, {serving(2, 1), "drive#1 0"}},
		"the driver's executor is lost (K2)": append(slices.Clone(started),
			step{RankLost{0, "killed"}, "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""}, step{RankLost{2, "killed"}, "end failed the driver's executor was lost: killed"}),
		"the master falls": append(slices.Clone(started),
			step{up(0, task.Up{Fell: &task.Fell{Run: 1, Part: "master", Why: core.Error{Kind: core.Failed, What: "gone"}, Final: true}}), "stop(0s) 0"},
			step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""}, step{stopped(2), "end failed gone"}),
		"a worker's process falls": append(slices.Clone(started),
			step{up(1, task.Up{Fell: &task.Fell{Run: 1, Part: "worker", Why: core.Error{What: "gone"}}}), ""}, step{serving(1, 1), ""},
			step{up(1, task.Up{Fell: &task.Fell{Run: 1, Part: "worker", Why: core.Error{Kind: core.Failed, What: "gone"}, Final: true}}), "stop(0s) 0"}),
		"cancelled": append(slices.Clone(started),
			step{CancelAsked{"enough"}, "stop(5s) 0"}, step{done(1, 143), ""}, step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""},
			step{stopped(2), "end cancelled cancelled: enough"}),
		"cancelled before there is a gang": {{CancelAsked{"enough"}, "end cancelled cancelled: enough"}},
		"gives way": append(slices.Clone(started),
			step{GiveWay{Left: time.Second}, "stop(1s) 0"}, step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""}, step{stopped(2), "renew"},
			step{GangUp{Size: 3}, "begin#2 0"}, step{done(1, 0), ""}),
		"gives way and is cancelled": append(slices.Clone(started),
			step{GiveWay{Left: time.Second}, "stop(1s) 0"}, step{CancelAsked{"enough"}, ""}, step{stopped(0), "stop(0s) 1, stop(0s) 2"}, step{stopped(1), ""},
			step{stopped(2), "end cancelled cancelled: enough"}),
		"a new coordinator finds the application at work (K4)": {
			{GangUp{Size: 2, Resumed: true}, "ask 0, ask 1"},
			{up(1, task.Up{Holds: &task.Holds{Run: 7, Serving: true}}), ""},
			{up(0, task.Up{Holds: &task.Holds{Run: 7, Master: &task.Ready{Run: 7}, Driving: true}}), ""},
			{done(7, 0), "stop(0s) 0"}},
		"a new coordinator finds it ended": {
			{GangUp{Size: 2, Resumed: true}, "ask 0, ask 1"},
			{up(0, task.Up{Holds: &task.Holds{Run: 7, Done: &task.Done{Run: 7}}}), ""},
			{up(1, task.Up{Holds: &task.Holds{Run: 7, Serving: true}}), "stop(0s) 0"}},
		"a new coordinator finds half a start": {
			{GangUp{Size: 3, Resumed: true, Lost: []int{2}}, "ask 0, ask 1"},
			{up(0, task.Up{Holds: &task.Holds{Run: 7, Master: &task.Ready{Run: 7}}}), ""},
			{up(1, task.Up{Holds: &task.Holds{Run: 7}}), "serve#7 1"},
			{RankReplaced{2}, "serve#7 2"}, {serving(1, 7), ""}, {serving(2, 7), "drive#7 0"}},
		"a new coordinator finds nothing": {
			{GangUp{Size: 2, Resumed: true}, "ask 0, ask 1"},
			{up(0, task.Up{Holds: &task.Holds{}}), ""}, {RankLost{1, "killed"}, "begin#1 0"}},
		"a new coordinator finds the driver lost": {
			{GangUp{Size: 2, Resumed: true, Lost: []int{0}}, "stop(0s) 1"},
			{stopped(1), "end failed the driver's executor was lost: it was lost while the coordinator was away"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Config{App: "app.py", Grace: 5 * time.Second})
			for i, s := range story {
				if got := words(m.Step(s.event)); got != s.want {
					t.Fatalf("step %d, %T%+v: %q, want %q", i, s.event, s.event, got, s.want)
				}
			}
		})
	}
}
