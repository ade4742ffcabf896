package store

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		cfg := Tell(slog.New(slog.NewTextHandler(&out, nil)))
		w := Wait{Verb: "put", Path: "results/x", Cause: errors.New("connection refused")}
		count := func(text string, want int) {
			t.Helper()
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q is told %d times, not %d:\n%s", text, got, want, out.String())
			}
		}
		cfg.Recovered(w)
		count("the store is back", 0)
		for range 10 {
			cfg.Waiting(w)
		}
		count("waiting for the store", 1)
		time.Sleep(again)
		cfg.Waiting(w)
		count("waiting for the store", 2)
		cfg.Recovered(w)
		cfg.Recovered(w)
		count("the store is back", 1)
		cfg.Waiting(w)
		count("waiting for the store", 3)
		count("connection refused", 3)
	})
}
