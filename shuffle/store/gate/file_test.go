package gate_test

import (
	"bytes"
	"testing"

	"github.com/capstan-run/capstan/core/unixsock"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/gate"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

// What a client put is read from its file: also when the server is gone.
func TestReadsFromFiles(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	b := storetest.Bytes(1<<20, 3)
	if _, err := storetest.Open(t, s.Access()).Put(t.Context(), "test/job/a", bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/s"
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Options{Upstream: s.Access(), Prefix: "test/job/", Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	go g.Serve(l)
	defer g.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := storetest.ReadAll(t, storetest.Open(t, g.Access("unix://"+path)), "test/job/a"); !bytes.Equal(got, b) {
		t.Error("other bytes came back")
	}
}
