package machine

import (
	"strings"
	"testing"
)

func TestField(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n"
	if v, ok := field(strings.NewReader(text), "model name", ":"); !ok || v != "AMD EPYC" {
		t.Errorf("%q, %v", v, ok)
	}
	if v, ok := field(strings.NewReader(text), "name", ":"); ok {
		t.Errorf("found %q", v)
	}
}

func TestVersion(t *testing.T) {
	if v := version(`openjdk version "17.0.15" 2025-04-15`); v != "17.0.15" {
		t.Error(v)
	}
	if v := version("command not found"); v != "" {
		t.Error(v)
	}
}

func TestDescribe(t *testing.T) {
	if m := Describe(t.Context()); m.Cores < 1 || m.Go == "" || m.CPU == "" {
		t.Errorf("%+v", m)
	}
}
