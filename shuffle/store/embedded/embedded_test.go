package embedded_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	storetest.Run(t, s.Access(), "test/suite/")
}
