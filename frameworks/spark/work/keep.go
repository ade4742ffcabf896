package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/task"
	"github.com/capstan-run/capstan/shuffle/store"
)

// keepEvents puts the event log where the body wants it: whatever the end was.
func (a *application) keepEvents(ctx context.Context) (task.Kept, error) {
	if a.w.body.EventLog == "" {
		return task.Kept{}, nil
	}
	kept, _, err := a.put(ctx, filepath.Join(a.run.dir, "events"), a.w.body.EventLog)
	if err != nil {
		return kept, core.Errorf(core.Failed, "keep the event log: %v", err).At("spec.eventLog")
	}
	return kept, nil
}

// keepResults puts what the application left into the store, and says in one
// conditional PUT that it is whole. What an earlier attempt has committed stands;
// what another job has, is left alone.
func (a *application) keepResults(ctx context.Context) (task.Kept, error) {
	if a.w.body.Results == "" {
		return task.Kept{}, nil
	}
	kept, err := a.publish(ctx)
	if err != nil {
		return kept, core.Errorf(core.Failed, "keep the results: %v", err).At("spec.results").Do("name a prefix that nobody has written to")
	}
	return kept, nil
}

// manifest is what says that results are whole.
type manifest struct {
	Job   core.JobID `json:"job"`
	Names []string   `json:"names"` // below the prefix
	task.Kept
}

func (a *application) publish(ctx context.Context) (task.Kept, error) {
	job, object := a.w.env.Rank.Job, place(a.w.body.Results, "_manifest.json")
	st, err := store.Open(a.w.env.Store)
	if err != nil {
		return task.Kept{}, err
	}
	defer st.Close()
	before, err := committed(ctx, st, object)
	switch {
	case err != nil:
		return task.Kept{}, err
	case before != nil && before.Job == job:
		return before.Kept, nil
	case before != nil:
		return task.Kept{}, fmt.Errorf("%s has the results of job %s", a.w.body.Results, before.Job)
	}
	kept, names, err := a.put(ctx, a.results, a.w.body.Results)
	if err != nil {
		return kept, err
	}
	text, err := json.MarshalIndent(manifest{job, names, kept}, "", "  ")
	if err != nil {
		return kept, err
	}
	return kept, st.Commit(ctx, object, text)
}

// committed is the manifest that is there; nil if none is.
func committed(ctx context.Context, st *store.Client, object string) (*manifest, error) {
	r, _, err := st.Get(ctx, object, 0, -1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m := new(manifest)
	if err := json.NewDecoder(io.LimitReader(r, 64<<20)).Decode(m); err != nil {
		return nil, fmt.Errorf("read s3://%s: %w", object, err)
	}
	return m, nil
}

// put copies a folder below an URL of the store.
func (a *application) put(ctx context.Context, dir, url string) (kept task.Kept, names []string, err error) {
	st, err := store.Open(a.w.env.Store)
	if err != nil {
		return kept, nil, err
	}
	defer st.Close()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".crc") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := st.PutFile(ctx, place(url, filepath.ToSlash(name)), path, store.PutOptions{})
		if err != nil {
			return err
		}
		kept.Files++
		kept.Bytes += info.Size
		names = append(names, name)
		return nil
	})
	return kept, names, err
}

// place is "bucket/key" of a name below an URL.
func place(url, name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "s3://"), "/") + "/" + name
}
