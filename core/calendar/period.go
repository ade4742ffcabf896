package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// period is an ISO 8601 duration. Months and days go by the calendar, the rest
// is elapsed time.
type period struct {
	months, days, seconds int64
}

var periodForm = regexp.MustCompile(`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// maxPeriod is how much of any unit a period may have.
const maxPeriod = 1_000_000_000

func parsePeriod(s string) (p period, err error) {
	m := periodForm.FindStringSubmatch(s)
	if m == nil {
		return p, fmt.Errorf("%q is no period such as PT1H, P1D or P1M", s)
	}
	var n [8]int64
	for i := 1; i < len(m); i++ {
		if m[i] == "" {
			continue
		}
		if n[i], err = strconv.ParseInt(m[i], 10, 64); err != nil || n[i] > maxPeriod {
			return p, fmt.Errorf("%q is too long a period", s)
		}
	}
	p = period{months: n[1]*12 + n[2], days: n[3]*7 + n[4], seconds: n[5]*3600 + n[6]*60 + n[7]}
	if p == (period{}) {
		return p, fmt.Errorf("%q is no time at all", s)
	}
	return p, nil
}

// least is what p lasts at least, in seconds.
func (p period) least() int64 {
	return p.months*28*86400 + p.days*(86400-maxLeap) + p.seconds
}

// maxLeap is more than any zone's clock was ever set by.
const maxLeap = 4 * 3600

// plus is k periods after the reading from, as an instant in zone. A day that
// the month lacks is its last: the 31st of January and a month is the 28th of
// February, and two months are the 31st of March.
func (p period) plus(from, k int64, zone *time.Location) int64 {
	t := time.Unix(from, 0).UTC()
	if p.months != 0 {
		year, month, day := t.Date()
		first := time.Date(year, month+time.Month(p.months*k), 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		clock := from - time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
		t = time.Unix(first.AddDate(0, 0, min(day, last)-1).Unix()+clock, 0)
	}
	return instant(t.Unix()+p.days*k*86400, zone) + p.seconds*k
}
