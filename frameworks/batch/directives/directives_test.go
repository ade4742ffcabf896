package directives

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
)

// noon of a Monday, from where "tomorrow" and "now+1hour" are counted.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func submission(script string, flags ...string) Submission {
	s := Submission{
		Source: "job.sh", Script: []byte(script), Dir: "/home/ann", Now: noon,
		Env: func(name string) (string, bool) { return "ann's", name == "MINE" },
	}
	for _, f := range flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		s.Flags = append(s.Flags, Flag{name, value})
	}
	return s
}

func TestDirectives(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var flags []string
			for _, a := range d.CmdArgs {
				flags = append(flags, a.Key+"="+strings.Join(a.Vals, ","))
			}
			return show(t, submission("#!/bin/sh\n"+d.Input+"\ndate\n#SBATCH --not-read\n#PBS -not-read\n", flags...))
		})
	})
}

// show is what becomes of a submission: each part of the document on a line of
// its own, then what there is to be said.
func show(t *testing.T, s Submission) string {
	doc, warnings, err := Document(s)
	var b strings.Builder
	if err == nil {
		var d struct{ Metadata, Gang, Spec map[string]any }
		if err := json.Unmarshal(doc, &d); err != nil {
			t.Fatal(err)
		}
		delete(d.Spec, "script")
		for _, part := range []struct {
			name string
			v    any
		}{{"metadata", d.Metadata}, {"gang", d.Gang}, {"spec", d.Spec}} {
			j, _ := json.Marshal(part.v)
			fmt.Fprintf(&b, "%s %s\n", part.name, strings.ReplaceAll(string(j), `"`, ""))
		}
	}
	var e *core.Error
	if errors.As(err, &e) {
		warnings = e.Diagnostics
	} else if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		kind := "fault"
		if w.Warning {
			kind = "warning"
		}
		fmt.Fprintf(&b, "%s: %s\n", kind, w)
	}
	return b.String()
}

// TestEveryOption holds law D1: what is honoured has a set, what is not says so.
func TestEveryOption(t *testing.T) {
	for _, d := range dialects() {
		seen := map[string]bool{}
		for i := range d.options {
			o := &d.options[i]
			if (o.set == nil) == (o.refuse == "") {
				t.Errorf("%s %s is neither honoured nor refused, or both", d.name, o.name())
			}
			if o.refuse != "" && !strings.Contains(o.refuse, "; ") {
				t.Errorf("%s %s is refused without a remedy", d.name, o.name())
			}
			for _, n := range []string{o.long, o.short} {
				if n != "" && seen[n] {
					t.Errorf("%s has two options %s", d.name, n)
				}
				seen[n] = true
			}
		}
	}
}

// FuzzDocument: whatever a script says, either its faults are told or it makes a
// document whose body has none but those of its array's and rank's names.
func FuzzDocument(f *testing.F) {
	f.Add("#SBATCH -N 2-4 --time=1-2:3 --mem=4G\n#SBATCH -a 0-9%2 -d afterok:a:b", "time", "5")
	f.Add("#PBS -l nodes=2:ppn=8,walltime=1:00:00 -N x -j oe -o out/\n#PBS -W depend=afterok:a -t 1,3-5", "mem-per-cpu", "1G")
	f.Add("#SBATCH -w n[01-3,5] --gres=gpu:a100:2 --begin=now+2hours --signal=B:USR1@30 --switches=1@5", "nice", "")
	f.Fuzz(func(t *testing.T, script, flag, value string) {
		s := submission("#!/bin/sh\n" + script)
		s.Flags = []Flag{{flag, value}}
		doc, _, err := Document(s)
		if err != nil {
			var e *core.Error
			if !errors.As(err, &e) || e.Kind != core.Invalid || len(e.Diagnostics) == 0 {
				t.Fatalf("refused without a fault: %v", err)
			}
			return
		}
		var parsed core.Spec
		if err := json.Unmarshal(doc, &parsed); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if _, err := spec.Parse(parsed.Body); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if parsed.Gang.Size < 1 || parsed.Gang.CPU < 1000 || parsed.Gang.Memory < 0 {
			t.Fatalf("asks for %+v", parsed.Gang)
		}
		again, _, _ := Document(s)
		if string(again) != string(doc) {
			t.Fatal("the same script makes another document")
		}
	})
}
