package calendar

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// repeat is the trigger of an ISO 8601 repeating interval: the starts of its
// intervals.
type repeat struct {
	from   int64 // reading of the first
	zone   *time.Location
	period period
	count  int64 // how many there are; most, if the text does not say
	shift  int64 // the k-th is k+shift periods after from: from is the end of the last where it is below 0
}

// most bounds the number of times where the text does not.
const most = 1 << 40

// parseRepeat reads R5/START/PERIOD, R5/START/END (the period is from the start
// to the end of the first interval) and R5/PERIOD/END (the last interval ends
// there). R without a number repeats for ever. A start without an offset is read
// in zone, and with one it is shown there: a day is a day of that zone.
func parseRepeat(s string, zone *time.Location) (*repeat, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "R") {
		return nil, fmt.Errorf("%q is no repeating interval", s)
	}
	r := &repeat{zone: zone, count: most}
	if n := parts[0][1:]; n != "" {
		var err error
		if r.count, err = strconv.ParseInt(n, 10, 64); err != nil || r.count < 1 || r.count > most {
			return nil, fmt.Errorf("%q: %q is no number of times", s, n)
		}
	}
	err := r.read(parts[1], parts[2])
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	return r, nil
}

// read takes the two parts of the interval.
func (r *repeat) read(a, b string) (err error) {
	switch {
	case a == "":
		return errors.New("the start is missing")
	case strings.HasPrefix(a, "P"):
		if r.count == most {
			return errors.New("an interval that repeats for ever has no end to reckon from; give a start")
		}
		if r.period, err = parsePeriod(a); err != nil {
			return err
		}
		r.shift = -r.count // the last, count-1, is one period before the end
		r.from, err = r.reading(b)
		return err
	case strings.HasPrefix(b, "P"):
		if r.from, err = r.reading(a); err == nil {
			r.period, err = parsePeriod(b)
		}
		return err
	}
	if r.from, err = r.reading(a); err != nil {
		return err
	}
	end, err := r.reading(b)
	if err == nil && end <= r.from {
		err = errors.New("the end is not after the start")
	}
	r.period = period{seconds: instant(end, r.zone) - instant(r.from, r.zone)}
	return err
}

// timeForms are what a start or an end may look like: with an offset, and
// without.
var timeForms = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "20060102T150405Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// reading is the wall reading of a time in r's zone.
func (r *repeat) reading(s string) (int64, error) {
	for i, form := range timeForms {
		t, err := time.Parse(form, s)
		if err != nil || t.Nanosecond() != 0 {
			continue
		}
		if i < 3 {
			return wall(t.Unix(), r.zone), nil
		}
		return t.Unix(), nil
	}
	return 0, fmt.Errorf("%q is no time such as 2026-12-01T08:00:00Z", s)
}

// at is the k-th time, from 0.
func (r *repeat) at(k int64) int64 { return r.period.plus(r.from, k+r.shift, r.zone) }

// upTo is how many of the first times are not after t. Times grow with k, so it
// is found by halving.
func (r *repeat) upTo(t int64) int64 {
	first := r.at(0)
	if first > t {
		return 0
	}
	bound := min(r.count, (t-first)/max(1, r.period.least())+2)
	return int64(sort.Search(int(bound), func(k int) bool { return r.at(int64(k)) > t }))
}

func (r *repeat) next(t int64) (int64, bool) {
	k := r.upTo(t)
	if k >= r.count {
		return 0, false
	}
	return r.at(k), true
}

func (r *repeat) last(t int64) (int64, bool) {
	k := r.upTo(t)
	if k == 0 {
		return 0, false
	}
	return r.at(k - 1), true
}
