package cli

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// view shows a job as it goes: redrawn on a terminal, plain lines elsewhere.
type view interface {
	job(*core.Job)
	event(*apipb.JobEvent)
	note(string)
	close()
}

func (a *app) view(quiet bool) view {
	switch {
	case quiet:
		return silent{}
	case isTerminal(a.err):
		return newScreen(a)
	}
	return &lines{app: a, notes: map[string]bool{}}
}

type silent struct{}

func (silent) job(*core.Job)         {}
func (silent) event(*apipb.JobEvent) {}
func (silent) note(string)           {}
func (silent) close()                {}

// telling are the events a person wants to read as they happen.
var telling = map[string]bool{
	"submitted": true, "gang-up": true, "executor-lost": true, "executor-replaced": true, "plugin-crashed": true,
	"revoked": true, "retried": true, "adopted": true,
}

// lines is the view off a terminal: at most one progress line a second, and
// only when something changed (law L3).
type lines struct {
	app      *app
	last     string
	lastTime time.Time
	notes    map[string]bool // told already
}

func (l *lines) event(e *apipb.JobEvent) {
	if telling[e.Kind] {
		l.app.hint("%s %s", e.Time.AsTime().Local().Format("15:04:05"), clean(e.Text))
	}
}

func (l *lines) note(s string) { l.app.hint("%s %s", time.Now().Format("15:04:05"), s) }
func (l *lines) close()        {}

func (l *lines) job(j *core.Job) {
	if n := j.Progress.Note; n != "" && !l.notes[n] {
		l.notes[n] = true
		l.app.hint("%s %s", time.Now().Format("15:04:05"), clean(n))
	}
	text := summary(j)
	if text == l.last || text == "" || time.Since(l.lastTime) < time.Second {
		return
	}
	l.last, l.lastTime = text, time.Now()
	l.app.hint("%s %s", time.Now().Format("15:04:05"), text)
}

// summary is a job's progress on one line.
func summary(j *core.Job) string {
	var parts []string
	for _, s := range j.Progress.Stages {
		p := fmt.Sprintf("%s %d/%s%d", s.Name, s.Done, most(s.AtMost), s.Tasks)
		if s.BytesTotal > 0 {
			p += fmt.Sprintf(" (%s of %s)", size(s.BytesDone), size(s.BytesTotal))
		}
		if s.Failed > 0 {
			p += ", " + failures(s)
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, "; ")
}

// screen redraws the job's progress in place.
type screen struct {
	app   *app
	mu    sync.Mutex
	drawn int
	last  *core.Job
	notes map[string]bool
	stop  chan struct{}
	done  chan struct{}
	began time.Time
}

func newScreen(a *app) *screen {
	s := &screen{app: a, notes: map[string]bool{}, stop: make(chan struct{}), done: make(chan struct{}), began: time.Now()}
	go s.tick()
	return s
}

// tick redraws while nothing arrives, so that times keep moving.
func (s *screen) tick() {
	defer close(s.done)
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			s.mu.Lock()
			s.draw()
			s.mu.Unlock()
		}
	}
}

func (s *screen) event(e *apipb.JobEvent) {
	if telling[e.Kind] {
		s.note(clean(e.Text))
	}
}

// note prints a line that stays, above the redrawn part.
func (s *screen) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintf(s.app.err, "%s %s\n", s.app.colour(dim, time.Now().Format("15:04:05")), text)
	s.draw()
}

func (s *screen) job(j *core.Job) {
	n := j.Progress.Note
	s.mu.Lock()
	s.last = j
	fresh := n != "" && !s.notes[n]
	s.notes[n] = true
	s.draw()
	s.mu.Unlock()
	if fresh {
		s.note(clean(n))
	}
}

func (s *screen) close() {
	close(s.stop)
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draw()
	s.drawn = 0
}

func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.app.err, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *screen) draw() {
	if s.last == nil {
		return
	}
	width := 80
	if f, ok := s.app.err.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			width = w
		}
	}
	s.erase()
	for _, l := range render(s.last, width, time.Now()) {
		fmt.Fprintln(s.app.err, l)
		s.drawn++
	}
}

// render is a job's progress as lines of at most width columns.
func render(j *core.Job, width int, at time.Time) []string {
	since := j.Started
	if since.IsZero() {
		since = j.Submitted
	}
	end := at
	if !j.Ended.IsZero() {
		end = j.Ended
	}
	out := []string{fit(fmt.Sprintf("%s  %s  %s", j.ID, j.State, span(max(0, end.Sub(since)))), width)}
	for _, s := range j.Progress.Stages {
		out = append(out, stageLine(s, width, end.Sub(since)))
	}
	return out
}

// most is before a number of tasks of which there may be fewer.
func most(is bool) string {
	if is {
		return "≤"
	}
	return ""
}

// atMost is most in words.
func atMost(is bool) string {
	if is {
		return "at most "
	}
	return ""
}

// stageLine draws one stage: name, bar, tasks, bytes, rate, time left.
func stageLine(s core.Stage, width int, spent time.Duration) string {
	part := 0.0
	switch {
	case s.Tasks > 0 && s.Done == s.Tasks:
		part = 1
	case s.BytesTotal > 0:
		part = min(1, float64(s.BytesDone)/float64(s.BytesTotal))
	case s.Tasks > 0:
		part = float64(s.Done) / float64(s.Tasks)
	}
	tail := fmt.Sprintf(" %3.0f%%  %d/%s%d tasks", part*100, s.Done, most(s.AtMost), s.Tasks)
	if s.Running > 0 {
		tail += fmt.Sprintf(", %d running", s.Running)
	}
	if s.BytesTotal > 0 {
		tail += "  " + size(s.BytesDone)
	}
	if part > 0 && part < 1 && spent > time.Second {
		if s.BytesDone > 0 {
			tail += fmt.Sprintf("  %s/s", size(int64(float64(s.BytesDone)/spent.Seconds())))
		}
		tail += fmt.Sprintf("  %s left", span(time.Duration(float64(spent)*(1-part)/part)))
	}
	if s.Failed > 0 {
		tail += "  " + failures(s)
	}
	bar := min(30, width-10-utf8.RuneCountInString(tail))
	if bar < 5 {
		return fit(fmt.Sprintf("  %-7s%s", s.Name, tail), width)
	}
	full := int(part*float64(bar) + 0.5)
	return fit(fmt.Sprintf("  %-7s %s%s", s.Name, strings.Repeat("━", full)+strings.Repeat("┄", bar-full), tail), width)
}

func fit(s string, width int) string {
	if r := []rune(s); len(r) > width-1 {
		return string(r[:max(0, width-2)]) + "…"
	}
	return s
}
