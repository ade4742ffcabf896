package store

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	firstPause = 50 * time.Millisecond
	// Short enough that work resumes within seconds of the store's return.
	longestPause = 2 * time.Second
)

// Wait tells that a call is waiting for the store.
type Wait struct {
	Verb  string        // "put", "get", …
	Path  string        // "bucket/key"
	For   time.Duration // since the call's first failure
	Cause error         // what the last try returned
}

// retry calls f until it succeeds, fails for another reason than
// ErrUnavailable, or the client's budget is spent.
func (c *Client) retry(ctx context.Context, verb, path string, f func(context.Context) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longestPause
	var failing time.Time
	try := func() (struct{}, error) {
		err := classify(ctx, verb, path, f(ctx))
		if err != nil && !errors.Is(err, ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, try,
		backoff.WithBackOff(pauses),
		backoff.WithMaxElapsedTime(c.cfg.Budget),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if failing.IsZero() {
				failing = time.Now()
			}
			c.cfg.Waiting(Wait{Verb: verb, Path: path, For: time.Since(failing), Cause: err})
		}))
	if err == nil && !failing.IsZero() {
		c.cfg.Recovered(Wait{Verb: verb, Path: path, For: time.Since(failing)})
	}
	return classify(ctx, verb, path, err)
}

// once calls f a single time.
func once(ctx context.Context, verb, path string, f func(context.Context) error) error {
	return classify(ctx, verb, path, f(ctx))
}
