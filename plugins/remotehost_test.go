package plugins

import (
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// wire is the stream of a plugin: it keeps what is sent.
type wire struct {
	pluginpb.Framework_RunServer
	sent []*pluginpb.FromPlugin
}

func (w *wire) Send(m *pluginpb.FromPlugin) error {
	w.sent = append(w.sent, m)
	return nil
}

// A message carries the number of the last event its sender had taken, however
// many wait.
func TestSendAfter(t *testing.T) {
	w := new(wire)
	h := newRemoteHost(w)
	go h.deliver(t.Context())
	send := func() {
		t.Helper()
		if err := h.Send("main", 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	send()
	for n := range int64(3) {
		h.queue(core.ExecutorLost{Rank: int(n)}, n+4)
	}
	send()
	for range 3 {
		<-h.Events()
		send()
	}
	h.close(errOver)
	<-h.quiet
	var got []int64
	for _, m := range w.sent {
		got = append(got, m.GetAfter())
	}
	if want := []int64{0, 0, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("messages after %d, want %d", got, want)
	}
}
