package multilang

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// tuple is the values of one.
type tuple = []json.RawMessage

// watch keeps an eye on the process (law M4), and sends ticks.
func (b *Bolt) watch() {
	beat := time.NewTicker(min(time.Second, b.settings.timeout/4))
	defer beat.Stop()
	tick := make(<-chan time.Time)
	if b.settings.tick > 0 {
		t := time.NewTicker(b.settings.tick)
		defer t.Stop()
		tick = t.C
	}
	for n := 0; ; n++ {
		select {
		case <-b.over:
			return
		case now := <-beat.C:
			b.beat(now, n)
		case <-tick:
			b.sendOwn(fmt.Appendf(nil, `{"id":"__tick%d","comp":"__system","stream":"__tick","task":-1,"tuple":[%d]}`, n, int(b.settings.tick.Seconds())))
		}
	}
}

// beat kills a process that has been silent for too long, or gives it something
// to answer.
func (b *Bolt) beat(now time.Time, n int) {
	b.mu.Lock()
	p, busy := b.process, b.broken == nil && (b.ledger.size() > 0 || !b.settings.legacy)
	b.mu.Unlock()
	if silent := now.Sub(time.Unix(0, p.heard.Load())); busy && silent > b.settings.timeout {
		p.kill(fmt.Sprintf("it said nothing for %s and was killed", b.settings.timeout))
		return
	}
	if !b.settings.legacy {
		b.sendOwn(fmt.Appendf(nil, `{"id":"__heartbeat%d","comp":null,"stream":"__heartbeat","task":-1,"tuple":[]}`, n))
	}
}

func (b *Bolt) sendOwn(message []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.process.send(framed(message))
	}
}

// idList is a list of task ids as a message.
func idList(ids []int) []byte {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return framed(append(b, ']'))
}

// say writes what a process logs, at the level that it gives: 0 trace to 4 error.
func say(log *slog.Logger, m *message) {
	level := slog.LevelInfo
	if m.Level != nil {
		level = []slog.Level{slog.LevelDebug, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[min(max(*m.Level, 0), 4)]
	}
	log.Log(context.Background(), level, text(m.Msg))
}
