package framework_test

import (
	"encoding/json"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/frameworks/service/framework"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func service(body string) core.Spec {
	return core.Spec{APIVersion: "capstan/v1", Kind: "Service", Metadata: core.Metadata{Name: "web"},
		Gang: core.Gang{CPU: 100, Memory: 32 << 20}, Body: json.RawMessage(body)}
}

func TestConform(t *testing.T) {
	plugintest.Conform(t, framework.New(), service(`{"exec": ["sleep", "1000"], "update": {"settle": "0s"}, "stop": {"grace": "1s"}}`), plugintest.Options{})
}

// The example is valid, and so is what it says.
func TestExample(t *testing.T) {
	d := framework.New().Describe()
	s, err := spec.Parse([]byte(d.Example), "example", []core.Description{d})
	if err != nil {
		t.Fatal(err)
	}
	if found := framework.New().Check(s); len(found) > 0 {
		t.Error(found)
	}
}
