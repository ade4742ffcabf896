package cli

import "testing"

func TestWaitingFor(t *testing.T) {
	cases := []struct {
		name string
		list []blocked
		want string
	}{
		{"nobody", nil, ""},
		{"who has its place", []blocked{{Gang: "web/web-0"}}, ""},
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
