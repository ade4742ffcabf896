package calendar

import "time"

// A wall reading is what a clock on the wall shows, as the Unix second at which
// one in UTC would show it. Reckoning with days, months and cron fields is done
// on readings, where no hour is missing or comes twice, and law K3 is the way
// between readings and instants.

// offset is how far the clock in zone is ahead at the instant t, and the period
// [from, to) in which it is.
func offset(t int64, zone *time.Location) (off, from, to int64) {
	at := time.Unix(t, 0).In(zone)
	_, o := at.Zone()
	begin, end := at.ZoneBounds()
	from, to = minInstant, maxInstant
	if !begin.IsZero() {
		from = begin.Unix()
	}
	if !end.IsZero() {
		to = end.Unix()
	}
	return int64(o), from, to
}

// The years 1 to 9999 are what dates are written for.
const (
	minInstant = -62_135_596_800
	maxInstant = 253_402_300_799
)

// wall is the reading at the instant t.
func wall(t int64, zone *time.Location) int64 {
	off, _, _ := offset(t, zone)
	return t + off
}

// instant is when the clock shows reading w for the first time; when it leaps
// over w, the instant at which it does.
func instant(w int64, zone *time.Location) int64 {
	off, _, _ := offset(w, zone)
	_, from, to := offset(w-off, zone)
	// The period around w-off, or the one before or after it.
	if from > minInstant {
		_, from, to = offset(from-1, zone)
	}
	for {
		off, from, to = offset(from, zone)
		if t := w - off; t < to || to == maxInstant {
			return max(t, from)
		}
		from = to
	}
}

// secondPass is the reading up to which the clock shows at t what it has shown
// before, and whether it does.
func secondPass(t int64, zone *time.Location) (until int64, again bool) {
	off, from, _ := offset(t, zone)
	if from == minInstant {
		return 0, false
	}
	before, _, _ := offset(from-1, zone)
	until = from + before
	return until, t+off < until
}
