package bsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/submit"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Result is what a local run made.
type Result struct {
	Rows     []Row            // in the order of ranks, then of writing
	Counters map[string]int64 // summed over ranks
	Steps    int64            // supersteps
	Read     int64            // records of the input
}

// Row is a line of the result. Of a record it is a row as JSON, without a key.
type Row struct{ Key, Value string }

// Text is the rows as text output has them: key, tab, value.
func (r *Result) Text() string {
	var b strings.Builder
	for _, row := range r.Rows {
		if row.Key != "" {
			b.WriteString(row.Key + "\t")
		}
		b.WriteString(row.Value + "\n")
	}
	return b.String()
}

// Local runs a job in this process, for tests of its program. Its peers are as
// many as Job.Gang.Size says, default 2. inputs are paths or file:// URLs.
// Nothing is submitted, nothing but a temporary directory is written, and there
// are no checkpoints. The error is that of the lowest rank whose program failed.
func Local(ctx context.Context, job Job, inputs ...string) (*Result, error) {
	if err := job.Validate(); err != nil {
		return nil, err
	}
	size := job.Gang.Size
	if size == 0 {
		size = 2
	}
	dir, err := os.MkdirTemp("", "bsp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l := &local{job: job, dir: dir, outputs: make([]rows, size), last: make([]peer.Superstep, size)}
	if err := l.plan(ctx, size, inputs); err != nil {
		return nil, err
	}
	if err := l.run(ctx, size); err != nil {
		return nil, err
	}
	return l.result(), nil
}

type local struct {
	job     Job
	dir     string
	body    *spec.Body
	splits  [][]input.Split // by rank
	outputs []rows
	last    []peer.Superstep
}

// plan cuts the input, each rank's splits side by side as on a cluster.
func (l *local) plan(ctx context.Context, size int, inputs []string) error {
	for _, p := range inputs {
		u, err := submit.URL(p)
		if err != nil {
			return err
		}
		l.job.Input.Path = append(l.job.Input.Path[:len(l.job.Input.Path):len(l.job.Input.Path)], u)
	}
	doc, err := l.job.document(l.job.Name, "program")
	if err != nil {
		return err
	}
	if l.body, err = parseBody(doc); err != nil {
		return err
	}
	l.splits = make([][]input.Split, size)
	if !l.body.HasInput() {
		return nil
	}
	files, err := input.List(ctx, l.body.Input, nil)
	if err != nil {
		return err
	}
	splits, err := input.Plan(ctx, files, input.PlanOptionsOf(l.body.Input, nil, size))
	if err != nil {
		return err
	}
	for rank := range size {
		l.splits[rank] = splits[len(splits)*rank/size : len(splits)*(rank+1)/size]
	}
	return nil
}

func (l *local) run(ctx context.Context, size int) error {
	places := make([]mesh.Place, size)
	for r := range places {
		places[r].Process = "local"
	}
	hub, errs := new(mesh.Hub), make([]error, size)
	var wg sync.WaitGroup
	for rank := range size {
		wg.Go(func() {
			m, err := mesh.Join(ctx, mesh.Config{ID: l.job.Name, Rank: rank, Size: size, Places: places, Hub: hub})
			if err == nil {
				err = l.rank(ctx, m)
			}
			errs[rank] = err
		})
	}
	wg.Wait()
	return firstFault(errs)
}

func (l *local) rank(ctx context.Context, m *mesh.Mesh) error {
	rank := m.Rank()
	prog, err := l.job.Program(work.Make{Body: l.body, Files: l.dir})
	if err != nil {
		m.Abort()
		return err
	}
	return peer.Run(ctx, peer.Config{
		Mesh: m, Cores: 1, Scratch: l.dir, Splits: l.splits[rank], Reading: work.Reading(l.body.Input, nil),
		Output: &l.outputs[rank], Observe: func(s peer.Superstep) { l.last[rank] = s },
	}, prog)
}

// firstFault is the error of the program that failed, not of those it took along.
func firstFault(errs []error) error {
	var found error
	for rank, err := range errs {
		var other *peer.RankError
		var lost *mesh.PeerError
		switch {
		case err == nil:
		case !errors.As(err, &other) && !errors.As(err, &lost):
			return fmt.Errorf("rank %d: %w", rank, err)
		case found == nil:
			found = fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return found
}

func (l *local) result() *Result {
	r := &Result{Counters: map[string]int64{}, Steps: l.last[0].Number}
	for rank := range l.outputs {
		r.Read += l.last[rank].Records
		r.Rows = append(r.Rows, l.outputs[rank]...)
		for name, n := range l.last[rank].Counters {
			r.Counters[name] += n
		}
	}
	return r
}

// rows is a rank's output in memory.
type rows []Row

func (r *rows) WriteKV(key, value []byte) error {
	*r = append(*r, Row{string(key), string(value)})
	return nil
}

func (r *rows) WriteRecord(rec arrow.Record) error {
	lines, err := jsonRows(rec)
	for _, line := range lines {
		*r = append(*r, Row{Value: line})
	}
	return err
}

func (r *rows) Seal() ([]byte, error) {
	return nil, core.Errorf(core.Internal, "a local run has no checkpoints").At("bsp.Local")
}

func (r *rows) Rewind([]byte) error {
	*r = nil
	return nil
}

func jsonRows(rec arrow.Record) ([]string, error) {
	doc, err := rec.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, err
	}
	lines := make([]string, len(raw))
	for i := range raw {
		lines[i] = string(raw[i])
	}
	return lines, nil
}

// parseBody reads the body of a document as the framework does, with defaults.
func parseBody(doc []byte) (*spec.Body, error) {
	var whole struct{ Spec json.RawMessage }
	if err := json.Unmarshal(doc, &whole); err != nil {
		return nil, err
	}
	return spec.Parse(whole.Spec)
}
