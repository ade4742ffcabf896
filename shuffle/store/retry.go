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
		err := c.once(ctx, verb, path, f)
		if err != nil && !errors.Is(err, ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, try,
		backoff.WithBackOff(pauses),
		backoff.WithMaxElapsedTime(c.cfg.Budget),
		backoff.WithNotify(func(err error, _ time.Duration) {
			c.counts.retries.Add(1)
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

// once calls f a single time, when the prefix of path has a token for it.
func (c *Client) once(ctx context.Context, verb, path string, f func(context.Context) error) error {
	lane := folder(path)
	err := c.pace.wait(ctx, lane)
	if err == nil {
		err = f(ctx)
	}
	if tooFast(err) {
		c.pace.slowed(lane)
	}
	return classify(ctx, verb, path, err)
}
