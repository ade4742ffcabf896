package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// files writes a file for each epoch.
type files struct {
	name   string // of the component's task
	owner  string
	folder folder
	lines  jsonLines
	part   bytes.Buffer
}

// sealed is the part of an epoch.
type sealed struct {
	Staged string `json:"staged"`
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
}

func newFiles(m Make) (Sink, error) {
	with, err := decode[FilesWith](m)
	if err != nil {
		return nil, err
	}
	f := &files{name: fmt.Sprintf("%s-%05d", m.Task.Component.ID, m.Task.Index), owner: m.Owner, lines: newJSONLines(m.In)}
	if prefix, ok := strings.CutPrefix(with.Path, "s3://"); ok {
		if m.Results == nil {
			return nil, core.Errorf(core.Invalid, "there is no store for %s here", with.Path).Do("write to a file:// folder")
		}
		f.folder = inStore{stage: m.Store, results: m.Results, prefix: strings.TrimSuffix(prefix, "/") + "/"}
		return f, nil
	}
	dir, err := input.LocalPath(with.Path)
	if err != nil {
		return nil, err
	}
	f.folder = onDisk{dir}
	return f, nil
}

func (f *files) Write(_ context.Context, in int, rec arrow.Record) error {
	f.part.Write(f.lines.append(f.part.AvailableBuffer(), in, rec))
	return nil
}

func (f *files) Seal(ctx context.Context, epoch int64) (json.RawMessage, error) {
	if f.part.Len() == 0 {
		return nil, nil
	}
	p := sealed{Name: fmt.Sprintf("epoch-%012d-%s.jsonl", epoch, f.name), Bytes: f.part.Len()}
	p.Staged = fmt.Sprintf(".%s.%s", p.Name, f.owner)
	if err := f.folder.put(ctx, p.Staged, f.part.Bytes()); err != nil {
		return nil, err
	}
	f.part.Reset()
	return json.Marshal(p)
}

func (f *files) Publish(ctx context.Context, part json.RawMessage) error {
	var p sealed
	if err := json.Unmarshal(part, &p); err != nil {
		return err
	}
	return f.folder.publish(ctx, p)
}
