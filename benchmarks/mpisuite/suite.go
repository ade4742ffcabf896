package mpisuite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// suite runs cases and keeps what came of them.
type suite struct {
	root      string // of the built programs
	launchers []Launcher
	limit     time.Duration // of a case that has none of its own, and at most
	only      *regexp.Regexp
	again     bool
	record    *record
	log       io.Writer
}

// run runs each case under each launcher in turn (law S1).
func (s *suite) run(ctx context.Context, cases []Case) error {
	for i := range cases {
		c := &cases[i]
		if s.only != nil && !s.only.MatchString(c.Key()) {
			continue
		}
		for _, l := range s.launchers {
			if _, has := s.record.last(c.Key(), l.Name()); has && !s.again {
				continue
			}
			run := s.one(ctx, c, l)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			fmt.Fprintf(s.log, "%-8s %-7s %6.1f s  %s  %s\n", l.Name(), run.Outcome, run.Seconds, run.Case, run.Why)
			if err := s.record.add(run); err != nil {
				return err
			}
		}
	}
	return nil
}

// errLate is the cause of ending a case that is out of time.
var errLate = errors.New("out of time")

// one runs a case under one launcher.
func (s *suite) one(ctx context.Context, c *Case, l Launcher) Run {
	run := Run{Case: c.Key(), Dir: c.Dir, Launcher: l.Name(), Known: c.Known}
	dir := filepath.Join(s.root, c.Dir)
	if _, err := os.Stat(filepath.Join(dir, c.Argv[0])); err != nil && c.Argv[0][0] == '.' {
		run.Outcome, run.Why = Unbuilt, "it could not be built: see capstan.log in "+dir
		return run
	}
	limit := s.limit
	if c.Limit > 0 {
		limit = min(c.Limit, limit)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	start := time.Now()
	output, code, err := l.Launch(ctx, dir, c)
	run.Seconds = time.Since(start).Seconds()
	switch {
	case errors.Is(err, errLate):
		run.Outcome, run.Why = Late, fmt.Sprintf("not finished in %s", limit)
	case err != nil:
		run.Outcome, run.Why = Failure, err.Error()
	default:
		run.Outcome, run.Why = Passed, c.Wants.judge(output, code)
	}
	if run.Outcome == Passed && run.Why != "" {
		run.Outcome = Failure
	}
	if run.Outcome != Passed {
		run.Tail = tail(output)
	}
	return run
}
