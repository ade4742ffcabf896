package cli

import (
	"testing"
	"time"
)

func TestWaitingFor(t *testing.T) {
	cases := []struct {
		name string
		list []blocked
		want string
	}{
		{"nobody", nil, ""},
		{"who has its place", []blocked{{Gang: "web/web-0"}}, ""},
		{"an array at its own limit", []blocked{{"etl/main", []string{"2 of its elements run, and no more than 2 may at once"}, ""}}, ""},
		{"one with a remedy", []blocked{{Gang: "web/web-0"}, {"web/web-1", []string{"no room", "node a: short of cpu"}, "1 cpu freed on node a"}},
			"web/web-1 waits: no room; node a: short of cpu; would do: 1 cpu freed on node a"},
		{"several", []blocked{{"a", []string{"1", "2", "3", "4"}, ""}, {"b", []string{"1"}, ""}, {"c", []string{"1"}, ""}},
			"a waits: 1; 2; 3 (and 2 more)"},
	}
	for _, c := range cases {
		if got := waitingFor(c.list); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestStateUntil(t *testing.T) {
	today := time.Now()
	far := time.Date(2040, 1, 2, 3, 4, 5, 0, time.Local)
	for _, c := range []struct {
		state string
		until int64
		want  string
	}{
		{"up", 0, "up"},
		{"draining", today.UnixMilli(), "draining until " + today.Format("15:04:05")},
		{"quarantined", far.UnixMilli(), "quarantined until 2040-01-02 03:04:05"},
	} {
		if got := stateUntil(c.state, c.until); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
