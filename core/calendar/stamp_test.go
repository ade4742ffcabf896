package calendar

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
)

// The words of a firing are the same in every try and after a restart: they come
// from the due time, in the schedule's zone, or from the first try.
func TestStampIsTheFirings(t *testing.T) {
	s := Schedule{Name: "nightly", Cron: "30 0 * * *", Timezone: "Europe/Stockholm", Retry: Retry{Times: 1},
		Job: json.RawMessage(`{"to":"s3://b/${schedule.date}/${schedule.time}","as":"${schedule.firing}","sh":"echo ${date}"}`)}
	c := New(time.LoadLocation)
	put := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	due := time.Date(2026, 11, 30, 23, 30, 0, 0, time.UTC) // half past midnight there
	step(t, c, Put{Now: put.UnixMilli(), Schedule: s})
	first := step(t, c, Tick{Now: due.UnixMilli() + 5000})
	want := `{"to":"s3://b/2026-12-01/20261201T003000","as":"nightly-1796081400","sh":"echo ${date}"}`
	if got := string(submitted(t, first).Doc); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	again := New(time.LoadLocation)
	if err := again.Restore(c.Row("nightly")); err != nil {
		t.Fatal(err)
	}
	if got := string(again.Outstanding()[0].(Submit).Doc); got != want {
		t.Errorf("after a restart %s", got)
	}

	step(t, c, JobEnded{Now: due.UnixMilli() + 9000, Job: "nightly-1796081400", State: core.Succeeded})
	wish := step(t, c, Run{Now: put.Add(24 * time.Hour).UnixMilli(), Name: "nightly"})
	if got := submitted(t, wish); !strings.Contains(string(got.Doc), "b/2026-12-01/20261201T130000") {
		t.Errorf("a wish's document is %s", got.Doc)
	}
}

// A word that stands for nothing is a fault, not a path.
func TestStampIsChecked(t *testing.T) {
	for _, word := range []string{"${schedule.day}", "${schedule.}", "${schedule.date"} {
		s := Schedule{Name: "x", Cron: "@daily", Job: json.RawMessage(`{"to":"` + word + `"}`)}
		if found := Check(&s, time.LoadLocation); len(found) != 1 || !strings.Contains(found[0].Message, word) || found[0].Path != "spec.job" {
			t.Errorf("%s: %+v", word, found)
		}
	}
}

func step(t *testing.T, c *Calendar, e Event) Result {
	t.Helper()
	r, err := c.Step(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func submitted(t *testing.T, r Result) Submit {
	t.Helper()
	for _, a := range r.Actions {
		if s, ok := a.(Submit); ok {
			return s
		}
	}
	t.Fatalf("nothing is submitted: %+v", r)
	return Submit{}
}
