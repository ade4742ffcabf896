package calendar

import (
	"fmt"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// crowd is a calendar of n hourly schedules, each with a child.
func crowd(b *testing.B, n int) *Calendar {
	c := New(time.LoadLocation)
	for i := range n {
		for _, s := range []Schedule{
			{Name: fmt.Sprintf("s%d", i), Cron: fmt.Sprintf("%d * * * *", i%60), Timezone: "Europe/Stockholm", Job: []byte("{}")},
			{Name: fmt.Sprintf("c%d", i), After: []Edge{{Schedule: fmt.Sprintf("s%d", i)}}, Job: []byte("{}")},
		} {
			if _, err := c.Step(Put{Now: 1_800_000_000_000, Schedule: s}); err != nil {
				b.Fatal(err)
			}
		}
	}
	return c
}

// BenchmarkFiring is a firing from its time to its job's end, with its child's,
// among n others.
func BenchmarkFiring(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("schedules=%d", n), func(b *testing.B) {
			c := crowd(b, n)
			fired := 0
			for fired < b.N {
				now := c.Next()
				next := c.Clone()
				r, err := next.Step(Tick{now})
				if err != nil {
					b.Fatal(err)
				}
				for len(r.Actions) > 0 && fired < b.N {
					a := r.Actions[0].(Submit)
					next = next.Clone()
					more, err := next.Step(JobEnded{Now: now, Job: a.Job, State: core.Succeeded})
					if err != nil {
						b.Fatal(err)
					}
					r.Actions = append(r.Actions[1:], more.Actions...)
					fired++
				}
				c = next
			}
		})
	}
}
