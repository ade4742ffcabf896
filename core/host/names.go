package host

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// alphabet leaves out what reads alike.
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789"

func randomName(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// lastLines are the last n lines of s that are not empty.
func lastLines(s string, n int) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimRight(l, "\r "); l != "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-n):]
}

// logHandler writes a coordinator's log into its job's.
type logHandler struct {
	log   *jobLog
	epoch core.Epoch
	attrs string
}

func (l *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (l *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if r.Level >= slog.LevelWarn {
		b.WriteString(r.Level.String() + " ")
	}
	b.WriteString(r.Message)
	b.WriteString(l.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.Key + "=" + a.Value.String())
		return true
	})
	l.log.add(LogLine{Time: r.Time, Epoch: l.epoch, Rank: -1, Text: b.String()})
	return nil
}

func (l *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	n := *l
	for _, a := range as {
		n.attrs += " " + a.Key + "=" + a.Value.String()
	}
	return &n
}

func (l *logHandler) WithGroup(string) slog.Handler { return l }
