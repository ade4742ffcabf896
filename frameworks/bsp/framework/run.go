package framework

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/coordinate"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/shuffle/store"
)

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
		Config: coordinate.Config{Repairs: body.Repairs, Preview: body.Preview, Deal: deal},
		Gang:   r.gang,
		Saved:  a.Saved,
		Output: body.Output.Path,
		Log:    a.Log,
		List:   r.list,
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
func (r *run) list(ctx context.Context) (all, vertices []input.Split, err error) {
	if err := output.Exists(ctx, r.store, r.body.Output); err != nil {
		return nil, nil, err
	}
	if all, err = splits(ctx, r.body.Input, r.gang, r.store); err != nil {
		return nil, nil, err
	}
	if g := r.body.Graph; g != nil && g.Vertices != nil {
		vertices, err = splits(ctx, *g.Vertices, r.gang, r.store)
	}
	return all, vertices, err
}

// commit makes the result visible. After an error it is open whether the
// commit happened, so it is tried again, and looked at when it was cancelled.
func (r *run) commit(ctx context.Context, result *coordinate.Result) error {
	meta := r.meta
	meta.Columns = result.Columns
	_, err := backoff.Retry(ctx, func() (output.Manifest, error) {
		m, err := output.Commit(ctx, r.store, r.body.Output, result.Parts, meta)
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
