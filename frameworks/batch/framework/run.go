package framework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/coordinate"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
	"github.com/capstan-run/capstan/shuffle/store"
)

// triesOfGeneration is more tries than a generation of the coordinator starts,
// so that numbers of tries are never used twice.
const triesOfGeneration = 1 << 30

// Run is core.Framework's.
func (f Framework) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	body, err := spec.Parse(a.Job.Spec.Body)
	if err != nil {
		return core.Report{}, err
	}
	c := coordinate.Config{
		Job: a.Job.ID, Body: body, Gang: ask(a.Job, body), FirstTry: int(max(a.Generation, 1)-1) * triesOfGeneration,
	}
	if list := a.Job.Spec.Metadata.Array; list != "" {
		if c.Array, err = core.ParseArray(list); err != nil {
			return core.Report{}, core.Errorf(core.Invalid, "%v", err).At("metadata.array")
		}
	}
	k := keeper{attempt: a, body: body}
	defer k.close()
	return coordinate.Run(ctx, coordinate.Attempt{Config: c, Saved: a.Saved, Log: a.Log, Write: k.write}, host)
}

// keeper puts streams into files of this machine. It belongs to one goroutine at
// a time.
type keeper struct {
	attempt *core.Attempt
	body    *spec.Body
	store   *store.Client // opened by the first write
}

func (k *keeper) close() {
	if k.store != nil {
		k.store.Close()
	}
}

func (k *keeper) write(ctx context.Context, w coordinate.Write) error {
	for _, stream := range w.Streams {
		to := k.body.Stdout
		if stream == "stderr" {
			to = k.body.Stderr
		}
		if !filepath.IsAbs(to) {
			return core.Errorf(core.Internal, "a worker says that its %s belongs into a file, and it does not", stream)
		}
		meta := k.attempt.Job.Spec.Metadata
		path := spec.Expand(to, spec.Place{Job: string(k.attempt.Job.ID), Name: meta.Name, User: meta.User, Index: w.Index, Rank: w.Rank, Node: string(w.Node)})
		if err := k.copy(ctx, task.Object(k.attempt.Store.Prefix, w.Gang, w.Rank, w.Try, stream), path); err != nil {
			e := core.Errorf(core.Failed, "%s of rank %d cannot be kept: %v", stream, w.Rank, err)
			return e.At(path).Do(fmt.Sprintf("what the log took of it: `capstan logs %s`", k.attempt.Job.ID))
		}
	}
	return nil
}

// copy makes a file of an object, all at once.
func (k *keeper) copy(ctx context.Context, object, path string) error {
	if k.store == nil {
		st, err := store.Tell(k.attempt.Log).Open(k.attempt.Store)
		if err != nil {
			return err
		}
		k.store = st
	}
	r, _, err := k.store.Get(ctx, object, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.CreateTemp(filepath.Dir(path), ".capstan-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return k.place(f.Name(), path)
}

// place gives a file its name. What is there already is replaced only by a later
// attempt or generation, of which an earlier one may have written it.
func (k *keeper) place(file, path string) error {
	if k.attempt.Epoch > 1 || k.attempt.Generation > 1 {
		return os.Rename(file, path)
	}
	err := os.Link(file, path)
	if errors.Is(err, fs.ErrExist) {
		return errors.New("a file of that name is there already; put %j, the job's id, into the name")
	}
	return err
}

// writable looks whether streams could be kept in the files that the spec
// names: their folders are there, and no file of another job is.
func writable(job *core.Job, body *spec.Body) error {
	var found []core.Diagnostic
	for _, s := range []struct{ path, to string }{{"spec.stdout", body.Stdout}, {"spec.stderr", body.Stderr}} {
		if !filepath.IsAbs(s.to) || s.path == "spec.stderr" && body.Merged() {
			continue
		}
		if fi, err := os.Stat(filepath.Dir(s.to)); !strings.Contains(filepath.Dir(s.to), "%") && (err != nil || !fi.IsDir()) {
			found = append(found, core.Diagnostic{Path: s.path, Message: fmt.Sprintf("the folder %s is not on the host's machine", filepath.Dir(s.to)), Remedy: "make it, or leave the stream to the job's log"})
		}
		if _, err := os.Lstat(s.to); err == nil {
			found = append(found, core.Diagnostic{Path: s.path, Message: s.to + " is there already", Remedy: "put %j, the job's id, into the name, or remove it"})
		}
	}
	if len(found) > 0 {
		return &core.Error{Kind: core.Invalid, What: "the job's streams cannot be kept", Diagnostics: found}
	}
	return nil
}
