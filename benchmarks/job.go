package benchmarks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// step is a user's step in a document.
type step struct {
	Use  string   `json:"use,omitempty"`
	Exec []string `json:"exec,omitempty"`
}

// job is a word count as a document.
type job struct {
	Map, Combine, Reduce *step
	Image                string
}

// document writes j's document, which is JSON and so YAML.
func (j job) document(input, output string, executors int) ([]byte, error) {
	gang := map[string]any{"size": executors, "cpu": share(executors), "memory": "512Mi"}
	if j.Image != "" {
		gang["image"] = j.Image
	}
	body := map[string]any{
		"input":  map[string]any{"path": "file://" + input, "format": "text"},
		"map":    j.Map,
		"reduce": j.Reduce,
		"output": map[string]any{"path": "file://" + output, "format": "text"},
	}
	if j.Combine != nil {
		body["combine"] = j.Combine
	}
	return json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "MapReduce",
		"metadata": map[string]any{"name": "bench"}, "gang": gang, "spec": body})
}

// share is the CPU of each of n executors: a core, or less where they are
// more than the cores.
func share(n int) string {
	return core.MilliCPU(min(1000, 1000*runtime.NumCPU()/n)).String()
}

// place is where jobs run: a state directory and a launcher.
type place struct {
	state, launcher string
	up              bool // a host is running there
}

// run runs a word count at p and fills s with what it took. The answer in
// output must be want.
func (b *bench) run(ctx context.Context, p place, doc []byte, output string, want corpus.Answer, s *result.Sample) (*core.Job, error) {
	j, err := b.runJob(ctx, p, b.jobID(), doc, s)
	if err != nil {
		return nil, err
	}
	if err := check(output, want, j); err != nil {
		return nil, err
	}
	return j, os.RemoveAll(output)
}

// jobID is one that no job has had.
func (b *bench) jobID() string {
	b.runs++
	return fmt.Sprint("bench-", b.runs)
}

// runJob runs a document at p and fills s with what it took.
func (b *bench) runJob(ctx context.Context, p place, id string, doc []byte, s *result.Sample) (*core.Job, error) {
	file := filepath.Join(b.work, id+".json")
	if err := os.WriteFile(file, doc, 0o644); err != nil {
		return nil, err
	}
	args := []string{b.Capstan, "--state", p.state, "run", "-q", "-o", "json", "--id", id, file}
	if !p.up {
		args = append(args, "--launcher", p.launcher)
	}
	// Killing the command would detach from the job and leave it running.
	out, cost, err := b.meter.Run(ctx, meter.Command{Args: args, Cancel: func() error {
		return exec.Command(b.Capstan, "--state", p.state, "cancel", id, "--reason", "the benchmark was interrupted").Run()
	}})
	if err != nil {
		return nil, ran(err, out)
	}
	j := new(core.Job)
	if err := json.Unmarshal(out, j); err != nil || j.Outcome == nil {
		return nil, core.Errorf(core.Internal, "the job's JSON cannot be read: %v", err)
	}
	report := j.Outcome.Report
	s.Wall, s.Input = cost.Wall.Seconds(), report.BytesIn
	s.Workers, s.CPU = report.CPUSeconds, cost.CPU.Seconds()
	if p.launcher == "docker" || !b.meter.Whole() {
		s.CPU += s.Workers
	}
	return j, nil
}

// ran explains a command that failed: a job's outcome stands on its standard
// output.
func ran(err error, out []byte) error {
	var j core.Job
	if json.Unmarshal(out, &j) == nil && j.Outcome.Err() != nil {
		return fmt.Errorf("%w\n%w", err, j.Outcome.Err())
	}
	return err
}

// check holds the counts in output against want (law L1).
func check(output string, want corpus.Answer, j *core.Job) error {
	counts, err := corpus.ReadCounts(output)
	if err != nil {
		return err
	}
	// tr makes an empty word of white space at the start of a task's input.
	delete(counts, "")
	if got := counts.Answer(); got != want {
		e := core.Errorf(core.Failed, "the answer is wrong: %d words, %d of them distinct, want %d and %d",
			got.Words, got.Distinct, want.Words, want.Distinct).At(output)
		if j != nil {
			e.Remedy = "look at job " + string(j.ID)
		}
		return e
	}
	return nil
}

// script runs a command alone over a file, between pipes as a task has it, and
// answers its CPU time.
func script(ctx context.Context, args []string, file string) (float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	// Neither is an *os.File, so both ends are pipes.
	cmd.Stdin, cmd.Stdout = io.MultiReader(f), io.MultiWriter(io.Discard)
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// host starts a host at a fresh place. The caller stops it.
func (b *bench) host(ctx context.Context, launcher string, warm int) (place, *meter.Server, error) {
	p := place{state: b.fresh("state"), launcher: launcher, up: true}
	s, err := b.meter.Serve(ctx, meter.Command{Args: []string{b.Capstan, "--state", p.state, "up",
		"--launcher", launcher, "--warm", fmt.Sprint(warm)}}, "host up")
	return p, s, err
}

// gangTime is how long a job's executors took, from their grant to the last
// one's joining.
func (b *bench) gangTime(ctx context.Context, p place, id core.JobID) (time.Duration, error) {
	out, err := answer(ctx, b.Capstan, "--state", p.state, "events", string(id), "-o", "json")
	if err != nil {
		return 0, err
	}
	var granted, up time.Time
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var e struct {
			Kind string
			Time time.Time
		}
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		switch e.Kind {
		case "granted":
			granted = e.Time
		case "gang-up":
			up = e.Time
		}
	}
	if granted.IsZero() || up.IsZero() {
		return 0, core.Errorf(core.Internal, "job %s has no events of its gang", id)
	}
	return up.Sub(granted), nil
}

// answer is what a command prints; its error shows what it complained of.
func answer(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}
