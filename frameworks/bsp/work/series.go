package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/shuffle/store"
)

// seriesKey is where the series of a gang that gave way lies in the store.
func (w *Worker) seriesKey() string {
	return fmt.Sprintf("%sseries/rank-%05d.csv", w.env.Store.Prefix, w.env.Rank.Rank)
}

// leaveSeries puts the rank's series into the store, since the gang's folder will
// go. A gang goes without it rather than not at all.
func (w *Worker) leaveSeries(ctx context.Context) {
	series, err := w.gauge.whole()
	if err == nil {
		_, err = w.store.Put(ctx, w.seriesKey(), series, series.Size(), store.PutOptions{})
	}
	if err != nil && ctx.Err() == nil {
		w.env.Log.Warn("the costs of supersteps so far cannot be kept", "err", err)
	}
}

// recallSeries goes on with the series of the gang before, if it gave way.
func (w *Worker) recallSeries(ctx context.Context) {
	if !w.gauge.none() {
		return
	}
	in, _, err := w.store.Get(ctx, w.seriesKey(), 0, -1)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err == nil {
		err = errors.Join(w.gauge.recall(in), in.Close())
	}
	if err != nil && ctx.Err() == nil {
		w.env.Log.Warn("the costs of supersteps before the gang gave way cannot be read", "err", err)
	}
}
