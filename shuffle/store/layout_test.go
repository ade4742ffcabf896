package store

import (
	"fmt"
	"strings"
	"testing"
)

func TestLayoutSpreads(t *testing.T) {
	l := Layout{Prefix: "capstan/jobs/x/1/"}
	count := map[string]int{}
	stage := l.Stage("map")
	for i := range 1600 {
		path := l.Object("map", fmt.Sprintf("task-%06d", i))
		if _, err := ParsePath(path); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range stage {
			if strings.HasPrefix(path, prefix) {
				count[prefix]++
			}
		}
	}
	for _, prefix := range stage {
		if n := count[prefix]; n < 50 || n > 200 {
			t.Errorf("%d of 1600 objects under %s", n, prefix)
		}
	}
	if len(stage) != 16 || len(count) != 16 {
		t.Errorf("%d prefixes, %d used", len(stage), len(count))
	}
}

// Names are part of what is stored: they never change.
func TestLayoutNames(t *testing.T) {
	for _, c := range []struct {
		fan  int
		want string
	}{
		{0, "b/p/07/map/a"}, {1, "b/p/map/a"}, {256, "b/p/e7/map/a"}, {1000, "b/p/e7/map/a"},
	} {
		if got := (Layout{"b/p/", c.fan}).Object("map", "a"); got != c.want {
			t.Errorf("fan %d: %s, want %s", c.fan, got, c.want)
		}
	}
}
