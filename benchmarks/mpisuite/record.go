package mpisuite

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Outcome is how a run of a case went.
type Outcome string

// The outcomes. A case is late if it had not ended within its limit.
const (
	Passed  Outcome = "passed"
	Failure Outcome = "failed"
	Late    Outcome = "late"
	Unbuilt Outcome = "unbuilt"
)

// Run is a case under one launcher.
type Run struct {
	Case     string  `json:"case"`
	Dir      string  `json:"dir"`
	Launcher string  `json:"launcher"`
	Outcome  Outcome `json:"outcome"`
	Why      string  `json:"why,omitempty"`   // it has not passed
	Known    string  `json:"known,omitempty"` // why its authors expect that
	Seconds  float64 `json:"seconds"`
	Tail     string  `json:"tail,omitempty"` // of the output of a case that has not passed
}

// maxTail is how many bytes of an output are kept.
const maxTail = 2000

func tail(s string) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-maxTail):]
}

// record is a file of runs, a line each; the last of a case and launcher counts.
type record struct {
	path string
	runs []Run
}

func openRecord(path string) (*record, error) {
	r := &record{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var run Run
		if json.Unmarshal(lines.Bytes(), &run) == nil { // a line cut short is of a run that was cut short
			r.runs = append(r.runs, run)
		}
	}
	return r, lines.Err()
}

func (r *record) add(run Run) error {
	r.runs = append(r.runs, run)
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	line, err := json.Marshal(run)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	return errors.Join(err, f.Close())
}

// last is the last run of a case under a launcher.
func (r *record) last(key, launcher string) (Run, bool) {
	for i := len(r.runs) - 1; i >= 0; i-- {
		if r.runs[i].Case == key && r.runs[i].Launcher == launcher {
			return r.runs[i], true
		}
	}
	return Run{}, false
}
