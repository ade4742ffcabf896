package main

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

func spec(body string) core.Spec {
	return core.Spec{APIVersion: "capstan/v1", Kind: "Pi", Metadata: core.Metadata{Name: "pi"}, Body: json.RawMessage(body)}
}

func TestConform(t *testing.T) {
	plugintest.Conform(t, Pi{}, spec(`{"terms": 1000}`), plugintest.Options{})
}

func TestPi(t *testing.T) {
	report, err := plugintest.Run(t, Pi{}, spec(`{"terms": 1000000}`), plugintest.Options{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := strconv.ParseFloat(report.Preview.Rows[0][0], 64)
	if err != nil || math.Abs(got-math.Pi) > 1e-5 {
		t.Errorf("π is %v (%v)", got, err)
	}
}

func TestLostRankIsReplaced(t *testing.T) {
	killed := false
	report, err := plugintest.Run(t, Pi{}, spec(`{"terms": 1000000}`), plugintest.Options{
		Size: 3,
		On: func(g *plugintest.Gang, e core.Event) {
			switch e.(type) {
			case core.GangUp:
				g.Kill("main", 1)
			case core.ExecutorLost:
				killed = true
				if err := g.Replace("main", 1); err != nil {
					t.Error(err)
				}
			}
		},
	})
	if err != nil || !killed {
		t.Fatalf("killed %v, error %v", killed, err)
	}
	if got := report.Preview.Rows[0][0]; got[:6] != "3.1415" {
		t.Errorf("π is %s", got)
	}
}
