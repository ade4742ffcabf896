package framework

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

// TestCommand runs the Python example as a job, where Python has pyarrow.
func TestCommand(t *testing.T) {
	python := "/usr/bin/python3"
	if home, err := os.UserHomeDir(); err == nil {
		if p := filepath.Join(home, ".cache/capstan-pyarrow/bin/python3"); exec.Command(p, "-c", "import pyarrow").Run() == nil {
			python = p
		}
	}
	if err := exec.Command(python, "-c", "import pyarrow").Run(); err != nil {
		t.Skip("no pyarrow here: a Python peer is not tested as a job")
	}
	script, err := filepath.Abs("../exec/testdata/peer.py")
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(in, []byte(strings.Repeat("0123456789\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	s := b.spec("", func(body map[string]any) {
		body["algorithm"] = map[string]any{"exec": []string{python, script}}
		body["input"] = map[string]any{"path": input.FileURL(in)}
		body["output"].(map[string]any)["format"] = "csv"
	})
	report, err := plugintest.Run(t, New(nil), s, b.options())
	if err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); strings.Count(got, "\n") < 4 || !strings.Contains(got, "rank,number,all\n") || !strings.Contains(got, "\n2,") {
		t.Errorf("the result is %q", got)
	}
	if report.Counters["turns"] != 3*7 {
		t.Errorf("counters: %v", report.Counters)
	}
}
