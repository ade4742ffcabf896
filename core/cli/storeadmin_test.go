package cli_test

import (
	"context"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/cli"
)

func (s shelf) Share(_ context.Context, path string, life time.Duration) (string, error) {
	if _, ok := s[path]; !ok {
		return "", core.Errorf(core.NotFound, "no object").At("s3://" + path)
	}
	return "http://127.0.0.1:9/" + path + "?for=" + life.String(), nil
}

// Garbage has a folder of a job that ended, of one that runs and of one that
// nobody knows, all two hours old.
func (s shelf) Garbage(ctx context.Context, live func(context.Context) (map[core.JobID]core.Epoch, error), before time.Time, uploads []string) ([]cli.Garbage, error) {
	jobs, err := live(ctx)
	if err != nil {
		return nil, err
	}
	last := time.Now().Add(-2 * time.Hour)
	var list []cli.Garbage
	for _, id := range []core.JobID{"ok", "slow", "unknown"} {
		if _, lives := jobs[id]; !lives && last.Before(before) {
			list = append(list, cli.Garbage{Path: "capstan/jobs/" + string(id) + "/1/", Job: id, Objects: 2, Bytes: 1500, Last: last, Why: "its job is over"})
		}
	}
	for _, prefix := range uploads {
		list = append(list, cli.Garbage{Path: prefix + "x", Upload: "id", Last: last, Why: "never finished"})
	}
	return list, nil
}

func (s shelf) Discard(_ context.Context, list []cli.Garbage) (int, error) {
	for i, g := range list {
		if strings.Contains(g.Path, "stuck") {
			return i, core.Errorf(core.Failed, "the store is away").At(g.Path)
		}
	}
	return len(list), nil
}
