package plugins

import (
	"fmt"
	"strings"
	"time"
)

// crash is one end of a shared process.
type crash struct {
	at     time.Time
	how    string // "plugin crashed: exit status 2"
	stderr string // the end of it: a stack, usually
}

// stackLines is how much of each stack is shown: the message, the goroutine at
// fault and its innermost frames.
const stackLines = 12

// stacks shows the crashes that hold a plugin, each with the top of its stack.
func stacks(crashes []crash) string {
	var b strings.Builder
	for i, c := range crashes {
		fmt.Fprintf(&b, "crash %d of %d, at %s: %s\n", i+1, len(crashes), c.at.Format(time.TimeOnly), c.how)
		lines := strings.Split(strings.TrimSpace(c.stderr), "\n")
		for _, l := range lines[:min(len(lines), stackLines)] {
			if l != "" {
				b.WriteString("  " + l + "\n")
			}
		}
		if more := len(lines) - stackLines; more > 0 {
			fmt.Fprintf(&b, "  … %d lines more\n", more)
		}
	}
	return b.String()
}
