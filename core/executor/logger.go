package executor

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logger makes the worker's logger: its records become log lines.
func (l *link) logger() *slog.Logger {
	return NewLogger(func(at time.Time, level slog.Level, line string) {
		if level != slog.LevelInfo {
			line = level.String() + " " + line
		}
		l.log(at, line)
	})
}

// NewLogger makes a logger whose records of level info and above reach emit as
// a person would write them: the message, then the attributes as slog's text
// handler has them. A record of several lines calls emit for each. emit may be
// called from any goroutine.
func NewLogger(emit func(at time.Time, level slog.Level, line string)) *slog.Logger {
	h := &lineHandler{emit: emit, mu: new(sync.Mutex), buf: new(bytes.Buffer)}
	h.attrs = slog.NewTextHandler(h.buf, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: dropBuiltin})
	return slog.New(h)
}

type lineHandler struct {
	emit  func(time.Time, slog.Level, string)
	mu    *sync.Mutex   // guards buf, across all handlers derived from one
	buf   *bytes.Buffer // where attrs writes
	attrs slog.Handler
}

func dropBuiltin(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	h.buf.Reset()
	err := h.attrs.Handle(ctx, r)
	attrs := strings.TrimSpace(h.buf.String())
	h.mu.Unlock()
	if err != nil {
		return err
	}
	text := r.Message
	if attrs != "" {
		text += " " + attrs
	}
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	for line := range strings.SplitSeq(text, "\n") {
		h.emit(at, r.Level, line)
	}
	return nil
}

func (h *lineHandler) WithAttrs(as []slog.Attr) slog.Handler {
	d := *h
	d.attrs = h.attrs.WithAttrs(as)
	return &d
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	d := *h
	d.attrs = h.attrs.WithGroup(name)
	return &d
}
