package spec

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestExpand(t *testing.T) {
	p := Place{Job: "job-x", Name: "train", User: "ann", Index: "7", Rank: 12, Node: "n1"}
	for pattern, want := range map[string]string{
		"/o/%x-%A_%a.%t":  "/o/train-job-x_7.12",
		"/o/%j.%N.%u":     "/o/job-x_7.n1.ann",
		"/o/%4t-%3a-%02n": "/o/0012-007-12",
		"/o/100%%":        "/o/100%",
		"/o/%q%":          "/o/%q%",
		"/o/%5":           "/o/%5",
	} {
		if got := Expand(pattern, p); got != want {
			t.Errorf("%s becomes %s, want %s", pattern, got, want)
		}
	}
	p.Index = ""
	if got := Expand("%j %a", p); got != "job-x 4294967294" {
		t.Errorf("without an array %q", got)
	}
}

func TestFixed(t *testing.T) {
	for url, want := range map[string]string{
		"s3://b/dir/%j.out": "b/dir/", "s3://b/%j/x": "b/", "s3://b/dir/x": "b/dir/x", "s3://b/dir/a%t": "b/dir/",
	} {
		if got, ok := Fixed(url); !ok || got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	if _, ok := Fixed("/b/x"); ok {
		t.Error("a path is taken for a URL")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		body  string
		edit  func(*core.Spec)
		paths []string
	}{
		{`{"command": ["true"]}`, nil, nil},
		{`{"script": "#!/bin/sh\n", "stdout": "/o/%t", "stderr": "/o/%t"}`, nil, nil},
		{`{}`, nil, []string{"spec"}},
		{`{"command": ["true"], "script": "#!/bin/sh\n"}`, nil, []string{"spec.script"}},
		{`{"command": [""]}`, nil, []string{"spec.command"}},
		{`{"command": ["true"], "args": ["x"], "shell": "sh"}`, nil, []string{"spec.args", "spec.shell"}},
		{`{"script": "echo\r\n"}`, nil, []string{"spec.script", "spec.script"}},
		{`{"command": ["true"], "workdir": "here", "stdin": "x", "stdout": "out-%t", "stderr": "/o/%t/"}`, nil,
			[]string{"spec.workdir", "spec.stdin", "spec.stdout", "spec.stderr"}},
		{`{"command": ["true"], "files": ["a/x", "b/x"]}`, nil, []string{"spec.files.1"}},
		{`{"command": ["true"], "stdout": "/o/x", "stderr": "s3://b"}`, nil, []string{"spec.stdout", "spec.stderr", "spec.stderr"}},
		{`{"command": ["true"], "per": "gang", "stdout": "/o/x"}`, nil, nil},
		{`{"command": ["true"], "per": "gang", "stdout": "/o/x"}`, func(s *core.Spec) { s.Metadata.Array = "0-3" }, []string{"spec.stdout"}},
		{`{"command": ["true"], "per": "gang", "stdout": "/o/%j"}`, func(s *core.Spec) { s.Metadata.Array = "0-3" }, nil},
		{`{"command": ["true"], "signal": {"name": "KILL", "before": "1m"}}`, nil, []string{"spec.signal.name", "spec.signal.before"}},
		{`{"command": ["true"]}`, func(s *core.Spec) { s.Gang.Min, s.Gang.Roles = 1, []core.Role{{Size: 2, Max: 3}} }, []string{"gang", "gang.roles.0"}},
		{`{"command": ["true"], "retryOn": [1]}`, nil, []string{"spec.retryOn"}},
		{`{"command": ["true"], "retries": 1, "retryOn": [0]}`, nil, []string{"spec.retryOn"}},
	} {
		s := &core.Spec{Kind: Kind, Gang: core.Gang{Size: 2}, Body: json.RawMessage(c.body)}
		if c.edit != nil {
			c.edit(s)
		}
		var paths []string
		for _, d := range Check(s) {
			paths = append(paths, d.Path)
			if d.Remedy == "" {
				t.Errorf("%s: no remedy for %s", c.body, d)
			}
		}
		if !slices.Equal(paths, c.paths) {
			t.Errorf("%s: faults at %q, want %q", c.body, paths, c.paths)
		}
	}
}

func TestInterpreter(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/sh\n": "/bin/sh", "#! /usr/bin/env python3 -u\nx": "/usr/bin/env|python3 -u", "#!/bin/sh": "/bin/sh", "#!\n": "", "echo": "",
	} {
		argv, ok := (&Body{Script: script}).Interpreter()
		if strings.Join(argv, "|") != want || ok != (want != "") {
			t.Errorf("%q is run by %q", script, argv)
		}
	}
	if argv, _ := (&Body{Script: "#!/bin/sh", Shell: "/bin/bash -l"}).Interpreter(); len(argv) != 2 {
		t.Errorf("a shell of two words is %q", argv)
	}
}

func TestShipped(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	b := &Body{Command: []string{"artifact:" + sum + "/run", "artifact:" + sum + "/no"}, Stdin: "artifact:" + sum + "/in", Files: []string{"artifact:" + sum + "/in", "plain"}}
	files := b.Shipped().Files()
	if len(files) != 2 || files[0].Name != "run" || files[1].Name != "in" || files[0].Mode != 0o555 {
		t.Errorf("ships %+v", files)
	}
}
