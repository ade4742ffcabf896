package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// times lists n times of a trigger after a moment, as clocks in its zone show
// them, with the zone's abbreviation.
func times(tr trigger, z *time.Location, after string, n int) string {
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		panic(err)
	}
	var list []string
	for t, ok := tr.next(at.Unix()); ok && len(list) < n; t, ok = tr.next(t) {
		list = append(list, time.Unix(t, 0).In(z).Format("01-02 15:04:05 MST"))
	}
	return strings.Join(list, ", ")
}

// TestClockChanges is law K3 where the clock leaps and where it is set back:
// Stockholm on 2027-03-28 at 02:00 and 2026-10-25 at 03:00, New York on
// 2027-03-14 at 02:00 and 2026-11-01 at 02:00.
func TestClockChanges(t *testing.T) {
	const stockholm, newYork = "Europe/Stockholm", "America/New_York"
	for _, c := range []struct{ zone, expr, after, want string }{
		// 02:30 does not exist: once, right after the gap.
		{stockholm, "30 2 * * *", "2027-03-26T12:00:00Z", "03-27 02:30:00 CET, 03-28 03:00:00 CEST, 03-29 02:30:00 CEST"},
		{newYork, "30 2 * * *", "2027-03-13T12:00:00Z", "03-14 03:00:00 EDT, 03-15 02:30:00 EDT"},
		// Several of one gap are one, also with one that comes there anyway.
		{stockholm, "*/20 2 * * *", "2027-03-28T00:00:00Z", "03-28 03:00:00 CEST, 03-29 02:00:00 CEST"},
		{newYork, "0,30 2,3 * * *", "2027-03-14T06:00:00Z", "03-14 03:00:00 EDT, 03-14 03:30:00 EDT, 03-15 02:00:00 EDT"},
		// 02:30 and 01:30 come twice: once, the first time.
		{stockholm, "30 2 * * *", "2026-10-24T12:00:00Z", "10-25 02:30:00 CEST, 10-26 02:30:00 CET"},
		{newYork, "30 1 * * *", "2026-10-31T12:00:00Z", "11-01 01:30:00 EDT, 11-02 01:30:00 EST"},
		{stockholm, "59 59 2 * * *", "2026-10-25T00:30:00Z", "10-25 02:59:59 CEST, 10-26 02:59:59 CET"},
		// Seen from within the second pass of the hour.
		{stockholm, "15,45 2 * * *", "2026-10-25T01:20:00Z", "10-26 02:15:00 CET"},
		{stockholm, "0 3 * * *", "2026-10-25T01:20:00Z", "10-25 03:00:00 CET"},
		// Every hour is every hour, that which comes twice and that which is missing.
		{stockholm, "30 * * * *", "2026-10-24T23:00:00Z", "10-25 01:30:00 CEST, 10-25 02:30:00 CEST, 10-25 02:30:00 CET, 10-25 03:30:00 CET"},
		{newYork, "@hourly", "2026-11-01T04:30:00Z", "11-01 01:00:00 EDT, 11-01 01:00:00 EST, 11-01 02:00:00 EST"},
		{newYork, "30 * * * *", "2027-03-14T06:00:00Z", "03-14 01:30:00 EST, 03-14 03:30:00 EDT"},
		{stockholm, "0 */2 * * *", "2026-10-24T21:00:00Z", "10-25 00:00:00 CEST, 10-25 02:00:00 CEST, 10-25 04:00:00 CET"},
		// A day without midnight.
		{"Asia/Beirut", "@daily", "2026-03-28T12:00:00Z", "03-29 01:00:00 EEST, 03-30 00:00:00 EEST"},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-02T12:00:00Z", "10-03 02:15:00 +1030, 10-04 02:30:00 +11, 10-05 02:15:00 +11"},
	} {
		z := zone(t, c.zone)
		tr, err := parseCron(c.expr, z)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := times(tr, z, c.after, strings.Count(c.want, ",")+1); got != c.want {
			t.Errorf("%s in %s:\n got %s\nwant %s", c.expr, c.zone, got, c.want)
		}
	}
}

func TestCronForms(t *testing.T) {
	for expr, want := range map[string]string{
		"@daily":          "01-01 00:00:00 UTC, 01-02 00:00:00 UTC",
		"@weekly":         "01-03 00:00:00 UTC, 01-10 00:00:00 UTC",
		"*/20 * * * * *":  "12-31 00:00:20 UTC, 12-31 00:00:40 UTC",
		"0 12 29 2 *":     "02-29 12:00:00 UTC, 02-29 12:00:00 UTC",
		"0 0 L * *":       "01-31 00:00:00 UTC, 02-28 00:00:00 UTC",
		"0 9 * * MON-FRI": "12-31 09:00:00 UTC, 01-01 09:00:00 UTC",
		"0 0 13 * FRI":    "01-01 00:00:00 UTC, 01-08 00:00:00 UTC", // one of both is enough
		"0 0 * * 1#1":     "01-04 00:00:00 UTC, 02-01 00:00:00 UTC",
		"5 4 * jan 7":     "01-03 04:05:00 UTC, 01-10 04:05:00 UTC",
	} {
		tr, err := parseCron(expr, time.UTC)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if got := times(tr, time.UTC, "2026-12-31T00:00:00Z", 2); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	for expr, want := range map[string]string{
		"":               "has 0 fields",
		"* * * *":        "has 4 fields",
		"0 0 1 1 * 2027": "has 6 fields",
		"0 * * * * * *":  "has 7 fields",
		"0,99 * * * *":   `"99" is no minute`,
		"0 24 * * *":     `"24" is no hour`,
		"0 0 0 * *":      `"0" is no day`,
		"0 0 1-2-3 * *":  `"1-2-3" is no day`,
		"0 0 1 13 *":     `"13" is no month`,
		"0 0 * * MAN":    `"man" is no weekday`,
		"0 0 * * 8":      `"8" is no weekday`,
		"*/0 * * * *":    `"*/0" is no minute`,
		"5-1 * * * *":    `"5-1" is no minute`,
		"@reboot":        "none of @yearly",
		"0 0 31 2 *":     "never comes",
	} {
		if _, err := parseCron(expr, time.UTC); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expr, err, want)
		}
	}
}

// field draws one of an expression's fields.
func field(least, most int) *rapid.Generator[string] {
	n := rapid.IntRange(least, most)
	return rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0, 1:
			return "*"
		case 2:
			return fmt.Sprintf("%d,%d", n.Draw(t, "a"), n.Draw(t, "b"))
		case 3:
			a := n.Draw(t, "from")
			return fmt.Sprintf("%d-%d", a, rapid.IntRange(a, most).Draw(t, "to"))
		}
		return fmt.Sprintf("*/%d", rapid.IntRange(1, most).Draw(t, "step"))
	})
}

// TestCronAgainstEveryMinute holds next and last against a look at every minute
// of some days around a change of the clock, with a reading of the fields that
// shares nothing with the library's.
func TestCronAgainstEveryMinute(t *testing.T) {
	zones := []string{"UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe"}
	changes := []string{"2026-10-25T01:00:00Z", "2027-03-28T01:00:00Z", "2026-11-01T06:00:00Z", "2027-03-14T07:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"}
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, rapid.SampledFrom(changes).Draw(t, "change"))
		fields := []string{field(0, 59).Draw(t, "minute"), field(0, 23).Draw(t, "hour"), field(1, 31).Draw(t, "day"), field(1, 12).Draw(t, "month"), field(0, 6).Draw(t, "weekday")}
		expr := strings.Join(fields, " ")
		tr, err := parseCron(expr, z)
		if err != nil {
			t.Skip(err) // the 31st of February
		}
		from, to := at.Unix()-30*3600, at.Unix()+30*3600
		want := everyMinute(fields, z, from, to)
		var got []int64
		for n, ok := tr.next(from - 1); ok && n < to; n, ok = tr.next(n) {
			got = append(got, n)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s in %s around %s\n got %v\nwant %v", expr, z, at, got, want)
		}
		var back []int64
		for n, ok := tr.last(to - 1); ok && n >= from; n, ok = tr.last(n - 1) {
			back = append([]int64{n}, back...)
		}
		if fmt.Sprint(back) != fmt.Sprint(want) {
			t.Fatalf("%s in %s around %s, backwards\n got %v\nwant %v", expr, z, at, back, want)
		}
	})
}

// everyMinute looks at each minute of elapsed time; a reading that has been
// seen does not count again, and one that was leapt over counts where the clock
// has arrived.
func everyMinute(fields []string, z *time.Location, from, to int64) (list []int64) {
	matches := func(w time.Time) bool {
		values := []int{w.Minute(), w.Hour(), w.Day(), int(w.Month()), int(w.Weekday())}
		least := []int{0, 0, 1, 1, 0}
		var in [5]bool
		for i, f := range fields {
			in[i] = holds(f, values[i], least[i])
		}
		days := in[2] && in[4]
		if !strings.HasPrefix(fields[2], "*") && !strings.HasPrefix(fields[4], "*") {
			days = in[2] || in[4]
		}
		return in[0] && in[1] && in[3] && days
	}
	shown := from - 6*3600 // far enough for the clock to have been set back before
	shown += zoneOffset(shown, z)
	for t := from - 6*3600; t < to; t += 60 {
		w := t + zoneOffset(t, z)
		due := false
		if fields[1] == "*" {
			due = matches(time.Unix(w, 0).UTC())
		} else {
			for ; shown <= w; shown += 60 {
				due = due || matches(time.Unix(shown, 0).UTC())
			}
		}
		if due && t >= from {
			list = append(list, t)
		}
	}
	return list
}

func zoneOffset(t int64, z *time.Location) int64 {
	_, off := time.Unix(t, 0).In(z).Zone()
	return int64(off)
}

func holds(f string, v, least int) bool {
	if f == "*" {
		return true
	}
	var a, b int
	switch {
	case strings.HasPrefix(f, "*/"):
		fmt.Sscanf(f, "*/%d", &a)
		return (v-least)%a == 0
	case strings.Contains(f, "-"):
		fmt.Sscanf(f, "%d-%d", &a, &b)
		return a <= v && v <= b
	}
	fmt.Sscanf(f, "%d,%d", &a, &b)
	return v == a || v == b
}
