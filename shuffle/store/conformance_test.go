package store_test

import (
	"testing"

	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestConformanceOfAPeer(t *testing.T) {
	access := storetest.StartPeer(t)
	storetest.Run(t, access, "test/suite/", storetest.PeerLacks...)
}
