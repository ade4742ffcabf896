package calendar

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
)

// TestStories runs the stories of testdata: blocks of commands, one a line, and
// what the calendar does about them. -rewrite writes the answers anew.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			w := newWorld()
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				var out strings.Builder
				for line := range strings.Lines(d.Input) {
					if err := w.do(strings.TrimSpace(line), &out); err != nil {
						d.Fatalf(t, "%s: %v", line, err)
					}
				}
				if out.Len() == 0 {
					return "ok"
				}
				return out.String()
			})
		})
	}
}

// world is a calendar, the clock on its wall, and its rows as they are kept.
type world struct {
	c    *Calendar
	now  time.Time
	rows map[string][]byte
}

func newWorld() *world {
	return &world{c: New(time.LoadLocation), now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), rows: map[string][]byte{}}
}

// do is one line:
//
//	at 12-01 08:00[:05]          the clock is set, and nothing looks at it
//	tick [12-01 08:00]           the same, and the calendar looks
//	until 12-02 00:00            the calendar looks whenever it wants to
//	put NAME cron="…" after=a,b:any catchUp=… overlap=… timeout=1m retry=2 wait=1m job=…
//	delete NAME [force], pause NAME, resume NAME, run NAME
//	ended JOB STATE
//	crash                        the calendar is made anew of its rows
//	show [NAME]
func (w *world) do(line string, out *strings.Builder) error {
	words := split(line)
	if len(words) == 0 {
		return nil
	}
	now := w.now.UnixMilli()
	switch verb, args := words[0], words[1:]; verb {
	case "at":
		return w.set(args)
	case "tick":
		if err := w.set(args); err != nil {
			return err
		}
		w.step(Tick{w.now.UnixMilli()}, out)
	case "until":
		end := w.now
		if err := w.set(args); err != nil {
			return err
		}
		end, w.now = w.now, end
		for t := w.c.Next(); t != 0 && t <= end.UnixMilli(); t = w.c.Next() {
			w.now = time.UnixMilli(t).UTC()
			w.step(Tick{t}, out)
		}
		w.now = end
	case "put":
		s, err := schedule(args)
		if err != nil {
			return err
		}
		w.step(Put{now, s}, out)
	case "delete":
		w.step(Delete{now, args[0], len(args) > 1}, out)
	case "pause":
		w.step(Pause{now, args[0]}, out)
	case "resume":
		w.step(Resume{now, args[0]}, out)
	case "run":
		w.step(Run{now, args[0]}, out)
	case "ended":
		w.step(JobEnded{now, core.JobID(args[0]), core.State(args[1]), ""}, out)
	case "crash":
		w.crash()
		for _, a := range w.c.Outstanding() {
			fmt.Fprintln(out, w.text(a))
		}
	case "show":
		w.show(args, out)
	default:
		return fmt.Errorf("no command %q", verb)
	}
	return nil
}

// split cuts at blanks outside of quotes, which it takes away.
func split(line string) (words []string) {
	quoted := false
	for _, f := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		words = append(words, strings.ReplaceAll(f, `"`, ""))
	}
	return words
}

func (w *world) set(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if len(args[1]) == 5 {
		args[1] += ":00"
	}
	t, err := time.Parse("2006-01-02 15:04:05", "2026-"+strings.Join(args, " "))
	w.now = t
	return err
}

func schedule(args []string) (Schedule, error) {
	s := Schedule{Name: args[0], Job: []byte(`{"v":1}`)}
	for _, a := range args[1:] {
		k, v, _ := strings.Cut(a, "=")
		var err error
		switch k {
		case "cron":
			s.Cron = v
		case "repeat":
			s.Repeat = v
		case "zone":
			s.Timezone = v
		case "after":
			for _, p := range strings.Split(v, ",") {
				name, ended, _ := strings.Cut(p, ":")
				s.After = append(s.After, Edge{name, ended})
			}
		case "catchUp":
			s.CatchUp = v
		case "max":
			s.CatchUpMax, err = strconv.Atoi(v)
		case "overlap":
			s.Overlap = v
		case "onFailure":
			s.OnFailure = v
		case "timeout":
			err = duration(v, &s.Timeout)
		case "retry":
			s.Retry.Times, err = strconv.Atoi(v)
		case "wait":
			err = duration(v, &s.Retry.Wait)
		case "start":
			s.Start, err = time.Parse(time.RFC3339, v)
		case "end":
			s.End, err = time.Parse(time.RFC3339, v)
		case "paused":
			s.Paused = true
		case "job":
			s.Job = []byte(`{"v":` + v + `}`)
		default:
			err = fmt.Errorf("no field %q", k)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

func duration(s string, to *core.Duration) error {
	d, err := time.ParseDuration(s)
	*to = core.Duration(d)
	return err
}

// step keeps the changed rows and tells the actions.
func (w *world) step(ev Event, out *strings.Builder) {
	next := w.c.Clone()
	r, err := next.Step(ev)
	if err != nil {
		fmt.Fprintf(out, "%s: %v\n", core.KindOf(err), err)
		return
	}
	w.c = next
	for _, name := range r.Changed {
		w.rows[name] = w.c.Row(name)
	}
	for _, a := range r.Actions {
		fmt.Fprintln(out, w.text(a))
	}
}

func (w *world) text(a Action) string {
	at := w.now.Format("01-02 15:04:05")
	switch a := a.(type) {
	case Submit:
		return fmt.Sprintf("%s submit %s %s", at, a.Job, a.Doc)
	case Cancel:
		return fmt.Sprintf("%s cancel %s: %s", at, a.Job, a.Why)
	}
	panic("no such action")
}

func (w *world) crash() {
	w.c = New(time.LoadLocation)
	for _, row := range w.rows {
		if err := w.c.Restore(row); err != nil {
			panic(err)
		}
	}
}

func (w *world) show(args []string, out *strings.Builder) {
	if len(args) == 0 {
		args = w.c.Names()
	}
	for _, name := range args {
		v, err := w.c.View(name)
		if err != nil {
			fmt.Fprintln(out, err)
			continue
		}
		fmt.Fprintf(out, "%s: %s, %s", name, v.When, v.State)
		if v.Why != "" {
			fmt.Fprintf(out, " (%s)", v.Why)
		}
		if !v.Next.IsZero() {
			fmt.Fprintf(out, ", next %s", v.Next.Format("01-02 15:04:05"))
		}
		for _, p := range v.Arrived {
			fmt.Fprintf(out, ", has %s", p)
		}
		fmt.Fprintln(out)
		for _, g := range v.Running {
			fmt.Fprintf(out, "  running %s\n", g.Job)
		}
		for _, f := range v.Waiting {
			fmt.Fprintf(out, "  waiting %s\n", f)
		}
		for _, p := range v.Past {
			fmt.Fprintf(out, "  %s %s", p.Firing, p.State)
			if p.Why != "" {
				fmt.Fprintf(out, ": %s", p.Why)
			}
			fmt.Fprintln(out)
		}
	}
}
