package framework

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/coordinate"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	"github.com/capstan-run/capstan/shuffle/store"
)

// triesOfGeneration is more tries than a task can have in one generation of
// the coordinator, so that numbers of tries are never used twice.
const triesOfGeneration = 1 << 16

// Run is core.Framework's.
func (f *Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	body, _, err := f.check(&a.Job.Spec)
	if err != nil {
		return core.Report{}, err
	}
	st, err := store.Tell(a.Log).Open(a.Store)
	if err != nil {
		return core.Report{}, err
	}
	defer st.Close()
	r := run{body: body, store: st, gang: ask(a.Job, body), meta: output.Meta{Job: a.Job.ID, Epoch: a.Epoch}}
	report, ok, err := r.committedBefore(ctx, a)
	if ok || err != nil {
		return report, err
	}
	report, err = coordinate.Run(ctx, coordinate.Attempt{
		Config:     config(body, r.gang, a.Generation),
		Gang:       r.gang,
		Partitions: func(bytes int64) int { return work.Partitions(body, r.gang.Size, r.gang.CPU, bytes) },
		Saved:      a.Saved,
		Output:     body.Output.Path,
		Log:        a.Log,
		List:       r.list,
		Commit: func(cancel context.Context, result *coordinate.Result) error {
			if strings.HasPrefix(body.Output.Path, "s3://") {
				// Between its manifest and its last part a result is visible and not
				// whole: who cancels then is too late.
				cancel = ctx
			}
			return r.commit(cancel, result)
		},
	}, host)
	if ctx.Err() == nil {
		// A commit that did not come to its end leaves nothing at the destination.
		if serr := output.Sweep(ctx, st, body.Output, a.Job.ID); serr != nil {
			a.Log.Warn("sweep the destination", "output", body.Output.Path, "err", serr)
		}
	}
	return report, err
}

func config(body *spec.Body, gang core.GangAsk, generation int64) coordinate.Config {
	return coordinate.Config{
		Slots:       body.SlotsOf(gang.CPU),
		Attempts:    body.Tasks.Attempts,
		Timeout:     time.Duration(body.Tasks.Timeout),
		Speculation: *body.Tasks.Speculation,
		Range:       body.Shuffle.By == "range",
		Orders:      orders(body),
		Preview:     body.Preview,
		Coalesce:    int64(work.Budget(body, gang.CPU, gang.Memory) / 2),
		FirstTry:    int(max(generation, 1)-1) * triesOfGeneration,
		Grace:       cmp.Or(time.Duration(gang.Grace), coordinate.DefaultGrace),
		Outlives:    strings.HasPrefix(body.Shuffle.Durability, "s3"),
	}
}

// orders are the orders the keys of a range job may have: a number orders text
// keys, not the encoded keys of a typed program.
func orders(body *spec.Body) []func(a, b []byte) int {
	text := work.ParseOrder(body.Shuffle.Order, work.Text)
	if body.Map.Program == "" {
		return []func(a, b []byte) int{text.Compare}
	}
	coded := text
	coded.Numeric = false
	return []func(a, b []byte) int{text.Compare, coded.Compare}
}

// run is the surroundings of one coordinator.
type run struct {
	body  *spec.Body
	store *store.Client
	gang  core.GangAsk
	meta  output.Meta
}

// committedBefore finds the result of an earlier attempt that was fenced after
// its commit and before the host heard of it.
func (r *run) committedBefore(ctx context.Context, a *core.Attempt) (core.Report, bool, error) {
	if a.Epoch <= 1 || a.Saved != nil {
		return core.Report{}, false, nil
	}
	m, ok, err := output.Committed(ctx, r.store, r.body.Output, a.Job.ID)
	if err != nil || !ok {
		return core.Report{}, false, err
	}
	return core.Report{
		Output: r.body.Output.Path, RecordsOut: m.Rows, BytesOut: m.Bytes,
		Notes: []string{fmt.Sprintf("attempt %d had committed the result", m.Epoch)},
	}, true, nil
}

// list finds the input, after a look at the output: with the store at hand it
// sees what Plan could not.
func (r *run) list(ctx context.Context) ([]input.Split, error) {
	if err := output.Exists(ctx, r.store, r.body.Output); err != nil {
		return nil, err
	}
	return splits(ctx, r.body, r.gang, r.store)
}

// commit makes the result visible. After an error it is open whether the
// commit happened, so it is tried again, and looked at when it was cancelled.
func (r *run) commit(ctx context.Context, result *coordinate.Result) error {
	_, err := backoff.Retry(ctx, func() (output.Manifest, error) {
		m, err := output.Commit(ctx, r.store, r.body.Output, result.Parts, r.meta)
		if final(err) {
			return m, backoff.Permanent(err)
		}
		return m, err
	}, backoff.WithMaxTries(3))
	if err == nil || ctx.Err() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, ok, lookErr := output.Committed(ctx, r.store, r.body.Output, r.meta.Job); ok && lookErr == nil {
		return nil
	}
	return err
}

// final reports whether committing again would end the same way.
func final(err error) bool {
	switch core.KindOf(err) {
	case core.Conflict, core.Invalid, core.Denied, core.Cancelled, core.Failed:
		return true
	}
	return false
}
