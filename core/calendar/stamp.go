package calendar

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

// The words in the strings of a schedule's job that stand for its firing. No
// shell has such names, so that scripts keep their own.
var stampWords = []string{"${schedule.date}", "${schedule.time}", "${schedule.firing}"}

var stampLike = regexp.MustCompile(`\$\{schedule\.[^}"]*\}?`)

// Stamp is a job's document, JSON, of one firing: ${schedule.date} becomes at's
// day, 2026-12-01, ${schedule.time} its time, 20261201T023000, and
// ${schedule.firing} the id of the firing's first job. The caller owns it, but
// it is doc itself if doc says none of them.
func Stamp(doc []byte, firing string, at time.Time) []byte {
	if !stampLike.Match(doc) {
		return doc
	}
	for i, v := range []string{at.Format("2006-01-02"), at.Format("20060102T150405"), firing} {
		doc = bytes.ReplaceAll(doc, []byte(stampWords[i]), []byte(v)) // none needs quoting in JSON
	}
	return doc
}

// checkStamps finds words of a job that look like a stamp and are none.
func checkStamps(doc []byte) []core.Diagnostic {
	var faults []core.Diagnostic
	for _, word := range stampLike.FindAll(doc, -1) {
		if !slices.Contains(stampWords, string(word)) {
			faults = append(faults, core.Diagnostic{Path: "spec.job", Message: fmt.Sprintf("%s stands for nothing", word),
				Remedy: "there are ${schedule.date}, ${schedule.time} and ${schedule.firing}"})
		}
	}
	return faults
}

// doc is the document of a firing's job. Its time is the due one, or when it was
// first submitted if it has none.
func (c *Calendar) doc(e *entry, g *Going) []byte {
	at := time.UnixMilli(g.Since)
	if g.First != 0 {
		at = time.UnixMilli(g.First)
	}
	if g.Due != 0 {
		at = time.Unix(g.Due, 0)
	}
	zone, err := e.Schedule.zone(c.zones)
	if err != nil { // it was there when the schedule was put
		zone = time.UTC
	}
	return Stamp(e.Schedule.Job, g.ID, at.In(zone))
}
