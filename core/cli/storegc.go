package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// Garbage is one thing in the store that no job will read or remove.
type Garbage struct {
	Path    string     `json:"path"`             // an attempt's folder, or an object's
	Upload  string     `json:"upload,omitempty"` // the ID, for an upload that was never finished
	Job     core.JobID `json:"job,omitempty"`
	Objects int64      `json:"objects,omitempty"`
	Bytes   int64      `json:"bytes,omitempty"`
	Last    time.Time  `json:"last"` // when it was last written to
	Why     string     `json:"why"`
}

// Collector is a Store that knows what nobody needs.
type Collector interface {
	// Garbage lists what was last written before the given time and belongs to
	// no attempt in live, which is asked once the store is listed. Of uploads
	// it looks at those under the prefixes, or nil: where it sees fit.
	Garbage(ctx context.Context, live func(context.Context) (map[core.JobID]core.Epoch, error), before time.Time, uploads []string) ([]Garbage, error)
	// Discard removes what Garbage listed, and returns how much.
	Discard(ctx context.Context, list []Garbage) (int, error)
}

// collection is what `store gc` tells.
type collection struct {
	Found   []Garbage `json:"found"`
	Removed int       `json:"removed"`
}

func (a *app) storeGCCommand() *cobra.Command {
	var dry bool
	var older time.Duration
	var uploads []string
	c := &cobra.Command{
		Use: "gc", Short: "Remove what ended jobs and broken uploads have left", Args: takes(0, 0),
		Long: `Remove from the store what no job of this host needs: folders of attempts that
are over, and uploads that were never finished. Results are never touched.

A store that several hosts use must not be cleaned so: to each host, the other
ones' jobs are unknown.`,
		Example: "  capstan store gc --dry-run\n  capstan store gc --older 1h",
	}
	f := c.Flags()
	f.BoolVar(&dry, "dry-run", false, "only list it")
	f.DurationVar(&older, "older", 24*time.Hour, "spare what is younger")
	f.StringSliceVar(&uploads, "uploads", nil, "look for unfinished uploads under this s3://BUCKET/PREFIX too (default: all of an embedded store)")
	c.RunE = a.onAnyHost(func(ctx context.Context, s *session, _ []string) error {
		if older < 0 {
			return core.Errorf(core.Invalid, "--older %s is no age", older).Do("write a time such as 24h")
		}
		for i := range uploads {
			uploads[i] = object(uploads[i])
		}
		return a.storeGC(ctx, s, time.Now().Add(-older), uploads, dry)
	})
	return c
}

func (a *app) storeGC(ctx context.Context, s *session, before time.Time, uploads []string, dry bool) error {
	st, err := a.storeOf(s)
	if err != nil {
		return err
	}
	keeper, ok := st.(Collector)
	if !ok {
		return core.Errorf(core.Invalid, "this store does not say what is garbage")
	}
	live := func(ctx context.Context) (map[core.JobID]core.Epoch, error) { return liveJobs(ctx, s) }
	list, err := keeper.Garbage(ctx, live, before, uploads)
	if err != nil {
		return err
	}
	told := collection{Found: list}
	if !dry {
		told.Removed, err = keeper.Discard(ctx, list)
	}
	if perr := a.printCollection(told); err == nil {
		err = perr
	}
	switch {
	case dry && len(list) > 0:
		a.hint("%d found; without --dry-run they are removed", len(list))
	case !dry || len(list) == 0:
		a.hint("%d found, %d removed", len(list), told.Removed)
	}
	return err
}

// liveJobs are the jobs that are not over. It asks for all of them: a job must
// not slip from one state to the next between two questions.
func liveJobs(ctx context.Context, s *session) (map[core.JobID]core.Epoch, error) {
	jobs, err := s.List(ctx, 0, "")
	if err != nil {
		return nil, err
	}
	live := map[core.JobID]core.Epoch{}
	for _, j := range jobs {
		if !j.State.Final() {
			live[j.ID] = j.Epoch
		}
	}
	return live, nil
}

func (a *app) printCollection(c collection) error {
	names := make([]string, len(c.Found))
	for i, g := range c.Found {
		names[i] = "s3://" + g.Path
	}
	return a.print(c, names, func(w io.Writer) {
		if len(c.Found) == 0 {
			return
		}
		fmt.Fprintln(w, "PATH\tOBJECTS\tSIZE\tLAST WRITTEN\tWHY")
		for i, g := range c.Found {
			what := fmt.Sprint(g.Objects)
			if g.Upload != "" {
				what = "upload"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", clean(names[i]), what, size(g.Bytes), ago(g.Last), g.Why)
		}
	})
}
