package directives

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// fields reads "1:30:00" as numbers, at most most of them.
func fields(s string, most int) ([]int64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) > most {
		return nil, false
	}
	var list []int64
	for _, p := range parts {
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil || n < 0 || n > 1e9 {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// slurmTime reads sbatch's --time; 0 is no limit.
func slurmTime(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no time; want minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes or days-hours:minutes:seconds", s)
	switch strings.ToUpper(s) {
	case "UNLIMITED", "INFINITE":
		return 0, nil
	}
	days, rest, dashed := strings.Cut(s, "-")
	if !dashed {
		rest = s
	}
	n, ok := fields(rest, 3)
	if !ok {
		return 0, bad
	}
	var seconds int64
	switch {
	case dashed:
		d, err := strconv.ParseInt(days, 10, 64)
		if err != nil || d < 0 || d > 1e5 {
			return 0, bad
		}
		n = append(n, 0, 0)
		seconds = d*86400 + n[0]*3600 + n[1]*60 + n[2]
	case len(n) == 1:
		seconds = n[0] * 60
	case len(n) == 2:
		seconds = n[0]*60 + n[1]
	default:
		seconds = n[0]*3600 + n[1]*60 + n[2]
	}
	return span(seconds, s)
}

// pbsTime reads qsub's walltime: seconds, minutes:seconds, and so on up to days.
func pbsTime(s string) (time.Duration, error) {
	n, ok := fields(s, 4)
	if !ok {
		return 0, fmt.Errorf("%q is no time; want [[hours:]minutes:]seconds", s)
	}
	unit, seconds := []int64{1, 60, 3600, 86400}, int64(0)
	for i, v := range n {
		seconds += v * unit[len(n)-1-i]
	}
	return span(seconds, s)
}

// maxSpan is ten years.
const maxSpan = 10 * 366 * 86400

func span(seconds int64, s string) (time.Duration, error) {
	if seconds > maxSpan {
		return 0, fmt.Errorf("%q is longer than ten years", s)
	}
	return time.Duration(seconds) * time.Second, nil
}

// slurmWhen reads sbatch's --begin and --deadline.
func slurmWhen(s string, now time.Time) (time.Time, error) {
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	lower := strings.ToLower(s)
	if rest, ok := strings.CutPrefix(lower, "now"); ok {
		if rest == "" {
			return now, nil
		}
		d, err := later(rest)
		return now.Add(d), err
	}
	next := func(hour int) time.Time {
		at := day.Add(time.Duration(hour) * time.Hour)
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at
	}
	switch lower {
	case "today":
		return now, nil
	case "tomorrow":
		return now.AddDate(0, 0, 1), nil
	case "midnight":
		return day.AddDate(0, 0, 1), nil
	case "noon":
		return next(12), nil
	case "fika":
		return next(15), nil
	case "teatime":
		return next(16), nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "01/02/06-15:04:05", "01/02/06-15:04", "01/02/06",
	} {
		if at, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return at, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04", "3:04PM", "3PM"} {
		at, err := time.Parse(layout, strings.ToUpper(s))
		if err != nil {
			continue
		}
		at = day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second)
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time; want 2026-12-01T08:00:00, 08:00, now+2hours, midnight, noon or tomorrow", s)
}

// later reads "+2hours"; a bare number is of seconds.
func later(s string) (time.Duration, error) {
	digits := strings.TrimLeft(s, "+")
	at := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	word := ""
	if at >= 0 {
		digits, word = digits[:at], strings.TrimSpace(digits[at:])
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, ok := map[string]int64{"": 1, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}[strings.TrimSuffix(word, "s")]
	if err != nil || !ok || !strings.HasPrefix(s, "+") || n > maxSpan {
		return 0, fmt.Errorf("%q is no time from now; want now+90, now+30minutes, now+2hours or now+1day", "now"+s)
	}
	return span(n*unit, "now"+s)
}

// pbsWhen reads qsub's -a: [[[[CC]YY]MM]DD]hhmm[.SS].
func pbsWhen(s string, now time.Time) (time.Time, error) {
	bad := fmt.Errorf("%q is no time; want [[[[CC]YY]MM]DD]hhmm[.SS]", s)
	digits, seconds, _ := strings.Cut(s, ".")
	layout, ok := map[int]string{4: "1504", 6: "021504", 8: "01021504", 10: "0601021504", 12: "200601021504"}[len(digits)]
	if !ok {
		return time.Time{}, bad
	}
	if seconds != "" {
		layout, digits = layout+"05", digits+seconds
	}
	// What is not said is today's, or the next such day's. 2000 was a leap year:
	// a 29th of February can be read.
	at, err := time.ParseInLocation(layout, digits, now.Location())
	if err != nil {
		return time.Time{}, bad
	}
	year, month, day := at.Date()
	n := len(digits) - len(seconds)
	if n < 10 {
		year = now.Year()
	}
	if n < 8 {
		month = now.Month()
	}
	if n < 6 {
		day = now.Day()
	}
	at = time.Date(year, month, day, at.Hour(), at.Minute(), at.Second(), 0, now.Location())
	if !at.After(now) {
		switch n {
		case 4:
			at = at.AddDate(0, 0, 1)
		case 6:
			at = at.AddDate(0, 1, 0)
		case 8:
			at = at.AddDate(1, 0, 0)
		}
	}
	return at, nil
}
