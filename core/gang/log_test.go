package gang

import (
	"strings"
	"testing"
)

// TestLogWithoutLeases reads events as they were written before they named
// leases: they are about whatever the gang holds, and are written as they were.
func TestLogWithoutLeases(t *testing.T) {
	for _, line := range []string{
		`{"Shrunk":{"Now":1000,"Gang":"e/main","Ranks":[3]}}`,
		`{"MemberLost":{"Now":1000,"Gang":"e/main","Rank":0,"Reason":"it died"}}`,
		`{"MemberReplace":{"Now":1000,"Gang":"e/main","Rank":1}}`,
		`{"Release":{"Now":1000,"Gang":"e/main","Ended":""}}`,
	} {
		w := &world{s: New(Config{}), now: 1000}
		for story := range strings.Lines("node a cpu=4\nsubmit e/main size=4 min=1\nstarted e/main\nresize e/main size=3\nsubmit filler/main\n") {
			c, err := parseCommand(story)
			if err == nil {
				err = w.do(c, new(strings.Builder))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		e, _, err := ParseEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if r := w.s.Step(e); len(r.Actions) == 0 { // filler starts where there is room
			t.Errorf("%s does nothing:\n%v", line, w.s)
		}
		if again, err := AppendEvent(nil, e); err != nil || strings.TrimSpace(string(again)) != line {
			t.Errorf("%s is written as %s (%v)", line, again, err)
		}
	}
}
