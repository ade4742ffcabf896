package calendar

import (
	"strings"
	"testing"
	"time"
)

func TestRepeat(t *testing.T) {
	for _, c := range []struct{ zone, text, after, want string }{
		{"UTC", "R3/2026-12-01T08:00:00Z/PT1H", "2026-01-01T00:00:00Z", "12-01 08:00:00 UTC, 12-01 09:00:00 UTC, 12-01 10:00:00 UTC"},
		{"UTC", "R/2026-12-01T08:00:00Z/PT90S", "2026-12-01T08:01:00Z", "12-01 08:01:30 UTC, 12-01 08:03:00 UTC"},
		{"UTC", "R2/2026-12-01T08:00:00Z/2026-12-01T08:10:00Z", "2026-01-01T00:00:00Z", "12-01 08:00:00 UTC, 12-01 08:10:00 UTC"},
		{"UTC", "R2/PT1H/2026-12-01T08:00:00Z", "2026-01-01T00:00:00Z", "12-01 06:00:00 UTC, 12-01 07:00:00 UTC"},
		{"UTC", "R3/P1M/2026-12-31T08:00:00Z", "2026-01-01T00:00:00Z", "09-30 08:00:00 UTC, 10-31 08:00:00 UTC, 11-30 08:00:00 UTC"},
		// Months and days by the calendar, each reckoned from the start.
		{"UTC", "R/2027-01-31T00:00:00Z/P1M", "2027-01-01T00:00:00Z", "01-31 00:00:00 UTC, 02-28 00:00:00 UTC, 03-31 00:00:00 UTC, 04-30 00:00:00 UTC"},
		{"UTC", "R/2024-02-29T00:00:00Z/P1Y", "2026-01-01T00:00:00Z", "02-28 00:00:00 UTC, 02-28 00:00:00 UTC, 02-29 00:00:00 UTC"},
		{"Europe/Stockholm", "R/2027-03-26T02:30:00/P1D", "2027-03-26T12:00:00Z", "03-27 02:30:00 CET, 03-28 03:00:00 CEST, 03-29 02:30:00 CEST"},
		{"America/New_York", "R/2026-10-31T01:30:00/P1D", "2026-10-01T12:00:00Z", "10-31 01:30:00 EDT, 11-01 01:30:00 EDT, 11-02 01:30:00 EST"},
		{"Europe/Stockholm", "R/2026-10-24T22:00:00Z/PT3H", "2026-10-24T22:00:00Z", "10-25 02:00:00 CET, 10-25 05:00:00 CET"},
		{"Europe/Stockholm", "R/2026-10-24T00:00:00Z/P1DT12H", "2026-10-01T00:00:00Z", "10-24 02:00:00 CEST, 10-25 13:00:00 CET, 10-27 02:00:00 CET"},
		{"Europe/Stockholm", "R2/2026-12-01/P1W", "2026-10-01T00:00:00Z", "12-01 00:00:00 CET, 12-08 00:00:00 CET"},
	} {
		z := zone(t, c.zone)
		r, err := parseRepeat(c.text, z)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		n := strings.Count(c.want, ",") + 1
		if r.count < most {
			n += 5 // and no more
		}
		if got := times(r, z, c.after, n); got != c.want {
			t.Errorf("%s in %s:\n got %s\nwant %s", c.text, c.zone, got, c.want)
		}
		// last finds what next has found.
		for at, ok := r.next(0); ok && n > 0; at, ok = r.next(at) {
			n--
			for _, later := range []int64{at, at + 1} {
				if got, ok := r.last(later); !ok || got != at {
					t.Errorf("%s: last(%d) is %d, want %d", c.text, later, got, at)
				}
			}
			if got, ok := r.last(at - 1); ok && got >= at {
				t.Errorf("%s: last(%d) is %d", c.text, at-1, got)
			}
		}
	}
	for text, want := range map[string]string{
		"2026-12-01T08:00:00Z/PT1H":                    "no repeating interval",
		"R0/2026-12-01T08:00:00Z/PT1H":                 "no number of times",
		"R-1/2026-12-01T08:00:00Z/PT1H":                "no number of times",
		"R5//PT1H":                                     "the start is missing",
		"R5/2026-12-01T08:00:00Z/":                     `"" is no time`,
		"R5/2026-12-01T08:00:00Z/PT":                   "no time at all",
		"R5/2026-12-01T08:00:00Z/P0D":                  "no time at all",
		"R5/2026-12-01T08:00:00Z/PT0.5S":               "no period",
		"R5/2026-13-01T08:00:00Z/PT1S":                 "is no time such as",
		"R/PT1H/2026-12-01T08:00:00Z":                  "give a start",
		"R2/2026-12-01T08:00Z/2026-12-01T08:00Z":       "not after the start",
		"R2/2026-12-01T08:00Z/PT99999999999999999999S": "too long",
	} {
		if _, err := parseRepeat(text, time.UTC); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzTriggers holds next and last together for whatever parses.
func FuzzTriggers(f *testing.F) {
	for _, s := range []string{"30 2 * * *", "*/7 1-3 L * 1#2", "@hourly", "R/2026-12-01T08:00:00Z/P1MT1S", "R9/P1Y/2026-12-01", "R/0001-01-01/PT1S", "R/9999-12-31/P999999999Y"} {
		f.Add(s, int64(1_800_000_000))
	}
	z, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		if len(text) > 64 || at < 0 || at > 1<<33 {
			t.Skip()
		}
		var tr trigger
		if c, err := parseCron(text, z); err == nil {
			tr = c
		} else if r, err := parseRepeat(text, z); err == nil {
			tr = r
		} else {
			t.Skip()
		}
		next, ok := tr.next(at)
		if !ok {
			return
		}
		if next <= at {
			t.Fatalf("%q: next(%d) is %d", text, at, next)
		}
		if back, ok := tr.last(next); !ok || back != next {
			t.Fatalf("%q: next(%d) is %d, and last of that %d, %v", text, at, next, back, ok)
		}
		if back, ok := tr.last(next - 1); ok && back > at {
			t.Fatalf("%q: next(%d) is %d, and before it comes %d", text, at, next, back)
		}
	})
}
