package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// Who follows a job that waits is told for what, as soon as that has lasted, and
// again when it changes; whether it has is asked ever more seldom.
const (
	waitedLong  = 2 * time.Second
	askSeldomer = time.Minute
)

// blocked is what a gang waits for, as the host explains it.
type blocked struct {
	Gang     string   `json:"gang"`
	Blockers []string `json:"blockers"`
	Remedy   string   `json:"remedy"`
}

// tellWaiting notes what the gangs of a job wait for until ctx ends.
func (a *app) tellWaiting(ctx context.Context, c *api.Client, id core.JobID, note func(string)) {
	told := ""
	for pause := waitedLong; ; pause = min(2*pause, askSeldomer) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		x, err := ask(ctx, c.Cluster().Explain, &clusterpb.ExplainRequest{Id: string(id)})
		if err != nil {
			continue
		}
		list, _, err := fromStructs[blocked](x.Explanations, func(b blocked) string { return b.Gang })
		if err != nil {
			continue
		}
		if text := waitingFor(list); text != "" && text != told {
			told = text
			note(clean(text))
		}
	}
}

// waitingFor is what the first of a job's gangs that waits does so for, and how many
// more do; "" if none does.
func waitingFor(list []blocked) string {
	text, more := "", 0
	for _, b := range list {
		switch {
		case len(b.Blockers) == 0 || len(b.Blockers) == 1 && strings.HasSuffix(b.Blockers[0], " may at once"):
			// It has its place, or is an array that runs as many elements as it wants to.
		case text != "":
			more++
		default:
			text = b.Gang + " waits: " + strings.Join(b.Blockers[:min(mostBlockers, len(b.Blockers))], "; ")
			if b.Remedy != "" {
				text += "; would do: " + b.Remedy
			}
		}
	}
	if more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// mostBlockers is how many are told on one line: `capstan why` has all.
const mostBlockers = 3
