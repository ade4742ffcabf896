package calendar

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// cron is the trigger of a cron expression.
type cron struct {
	expr string
	zone *time.Location
	// elapsed says that it follows elapsed time (law K3).
	elapsed bool
}

// fieldNames are those of an expression with seconds, and what a part of each
// may be beside a number, a range or a step.
var fieldNames = [6]string{"second", "minute", "hour", "day", "month", "weekday"}

var (
	partForm = regexp.MustCompile(`^(\*|\?|[0-9]+(-[0-9]+)?|\*/[0-9]+|[0-9]+(-[0-9]+)?/[0-9]+)$`)
	dayForm  = regexp.MustCompile(`^(L|[0-9]+W)$`)
	weekForm = regexp.MustCompile(`^([0-7]L|[0-7]#[1-5])$`)
	words    = regexp.MustCompile(`^@(yearly|annually|monthly|weekly|daily|hourly)$`)
)

// parseCron reads an expression: see Schedule.Cron.
func parseCron(expr string, zone *time.Location) (*cron, error) {
	if strings.HasPrefix(expr, "@") && !words.MatchString(expr) {
		return nil, fmt.Errorf("%q is none of @yearly, @monthly, @weekly, @daily, @hourly", expr)
	}
	given := len(strings.Fields(expr))
	fields, err := gronx.Segments(expr)
	if err != nil || len(fields) != 6 || given != 1 && given != 5 && given != 6 {
		return nil, fmt.Errorf("%q has %d fields; want 5, or 6 with the seconds first", expr, given)
	}
	for i, f := range fields {
		for part := range strings.SplitSeq(f, ",") {
			if err := checkPart(part, i); err != nil {
				return nil, fmt.Errorf("%q: %w", expr, err)
			}
		}
	}
	c := &cron{expr: strings.Join(fields, " "), zone: zone, elapsed: fields[2] == "*"}
	if _, ok := c.next(0); !ok {
		return nil, fmt.Errorf("%q never comes", expr)
	}
	return c, nil
}

// checkPart holds one part of a field to what the library reads as it is meant:
// it looks at a part only when the ones before it do not match.
func checkPart(part string, field int) error {
	ok := partForm.MatchString(part) || field == 3 && dayForm.MatchString(part) || field == 5 && weekForm.MatchString(part)
	if ok {
		var c gronx.SegmentChecker
		c.SetRef(time.Unix(0, 0).UTC())
		_, err := c.CheckDue(part, field)
		ok = err == nil
	}
	if !ok {
		return fmt.Errorf("%q is no %s", strings.ToLower(part), fieldNames[field])
	}
	return nil
}

// after is the first reading of the expression after w; incl counts w itself.
func (c *cron) after(w int64, incl bool) (int64, bool) {
	t, err := gronx.NextTickAfter(c.expr, time.Unix(w, 0).UTC(), incl)
	return t.Unix(), err == nil && (incl || t.Unix() > w)
}

// before is the last reading before w; incl counts w itself.
func (c *cron) before(w int64, incl bool) (int64, bool) {
	t, err := gronx.PrevTickBefore(c.expr, time.Unix(w, 0).UTC(), incl)
	return t.Unix(), err == nil && (incl || t.Unix() < w)
}

func (c *cron) next(t int64) (int64, bool) {
	if c.elapsed {
		return c.nextElapsed(t)
	}
	w, incl := wall(t, c.zone), false
	if until, again := secondPass(t, c.zone); again {
		w, incl = until, true
	}
	w, ok := c.after(w, incl)
	return instant(w, c.zone), ok
}

func (c *cron) last(t int64) (int64, bool) {
	if c.elapsed {
		return c.lastElapsed(t)
	}
	w, incl := wall(t, c.zone), true
	if until, again := secondPass(t, c.zone); again {
		w, incl = until, false
	}
	w, ok := c.before(w, incl)
	return instant(w, c.zone), ok
}

// nextElapsed is next with the clock as it runs from one change to the next.
func (c *cron) nextElapsed(t int64) (int64, bool) {
	for incl := false; ; incl = true {
		off, _, to := offset(t, c.zone)
		w, ok := c.after(t+off, incl)
		if !ok || w-off < to {
			return w - off, ok
		}
		t = to
	}
}

func (c *cron) lastElapsed(t int64) (int64, bool) {
	for {
		off, from, _ := offset(t, c.zone)
		w, ok := c.before(t+off, true)
		if !ok || w-off >= from {
			return w - off, ok
		}
		t = from - 1
	}
}
