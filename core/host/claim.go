package host

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/unixsock"
)

func journalPath(stateDir string) string { return filepath.Join(stateDir, "journal.db") }

// Claim makes a state directory this process's own, before anything else is
// done with it: see Config.Claim. If another host has it the error is a
// Conflict that names its pid. With wait, one that is still coming up is given
// so long to answer: then who wanted a host for the occasion has one.
func Claim(ctx context.Context, stateDir string, wait time.Duration) (*journal.Lock, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, core.Errorf(core.Denied, "%v", err).At(stateDir).Do("choose another state directory with --state")
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		l, err := journal.Acquire(journalPath(stateDir))
		if core.KindOf(err) != core.Conflict {
			return l, err
		}
		if c, dialErr := unixsock.Dial(ctx, socketPath(stateDir)); dialErr == nil {
			c.Close()
			return nil, err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return nil, err
		}
	}
}
