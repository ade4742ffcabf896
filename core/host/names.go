package host

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
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

// Instance names the host of a state directory for ever: what it starts carries
// this name.
func Instance(stateDir string) (string, error) {
	path := filepath.Join(stateDir, "instance")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return "", core.Errorf(core.Denied, "%v", err).At(stateDir).Do("choose another state directory with --state")
	}
	if err == nil {
		os.Remove(path) // an empty one names nobody
	}
	name := randomName(10)
	// Two hosts may start at once, before either has the journal: the first
	// name stays.
	tmp := path + "." + name
	defer os.Remove(tmp)
	if err := os.WriteFile(tmp, []byte(name+"\n"), 0o600); err != nil {
		return "", core.Errorf(core.Denied, "%v", err).At(path)
	}
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", core.Errorf(core.Denied, "%v", err).At(path)
	}
	if b, err = os.ReadFile(path); err != nil {
		return "", core.Errorf(core.Denied, "%v", err).At(path)
	}
	return strings.TrimSpace(string(b)), nil
}
