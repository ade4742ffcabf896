package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Garbage is one thing in the store that nobody will read or remove.
type Garbage struct {
	// Path is an attempt's folder ("capstan/jobs/x7/1/"), with all that is in
	// it, or with Upload the path that an unfinished upload would have made.
	Path    string     `json:"path"`
	Upload  string     `json:"upload,omitempty"`
	Job     core.JobID `json:"job,omitempty"`
	Objects int64      `json:"objects,omitempty"`
	Bytes   int64      `json:"bytes,omitempty"` // of the objects; parts are not counted
	Last    time.Time  `json:"last"`            // when the newest object was written, or the upload began
	Why     string     `json:"why"`
}

// Search says what counts as garbage. The store must belong to one host: what
// another host's journal knows is garbage to this one's.
type Search struct {
	// Jobs is the folder of the attempts' folders, "capstan/jobs/", each
	// "<job>/<epoch>/".
	Jobs string
	// Live tells the jobs that are not over, each with its present epoch:
	// folders of lower epochs are garbage too. It is asked after the store was
	// listed, so that it knows every job whose folder was seen.
	Live func(context.Context) (map[core.JobID]core.Epoch, error)
	// Before spares what was written, or begun, at that time or later.
	Before time.Time
	// Uploads are the prefixes ("results/") searched for unfinished uploads,
	// beside Jobs. nil: all buckets.
	Uploads []string
}

// Garbage lists what s finds, in order of paths, and removes nothing.
func (c *Client) Garbage(ctx context.Context, s Search) ([]Garbage, error) {
	if !strings.HasSuffix(s.Jobs, "/") || s.Live == nil {
		return nil, core.Errorf(core.Internal, "a search for garbage needs the jobs' folder and the live jobs").At(s.Jobs)
	}
	folders, err := c.attemptFolders(ctx, s.Jobs)
	if err != nil {
		return nil, err
	}
	uploads, err := c.uploadsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	live, err := s.Live(ctx)
	if err != nil {
		return nil, err
	}
	all := append(folders, uploads...)
	all = slices.DeleteFunc(all, func(g Garbage) bool { return !g.Last.Before(s.Before) })
	found := all[:0]
	for _, g := range all {
		job, epoch := attemptOf(strings.TrimPrefix(g.Path, s.Jobs))
		inJobs := strings.HasPrefix(g.Path, s.Jobs)
		now, known := live[job]
		switch {
		case !inJobs:
			g.Why = "an upload that was never finished"
		case !known:
			g.Job, g.Why = job, "its job is over, or unknown to this host"
		case epoch < now:
			g.Job, g.Why = job, "its attempt is over; the job is in attempt "+strconv.FormatInt(int64(now), 10)
		default:
			continue
		}
		found = append(found, g)
	}
	slices.SortStableFunc(found, func(a, b Garbage) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// attemptOf reads "<job>/<epoch>/…". What is named otherwise has epoch 0.
func attemptOf(rel string) (core.JobID, core.Epoch) {
	job, rest, _ := strings.Cut(rel, "/")
	number, _, ok := strings.Cut(rest, "/")
	epoch, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || epoch < 0 {
		epoch = 0
	}
	return core.JobID(job), core.Epoch(epoch)
}

// attemptFolders adds up the objects under jobs by attempt. An object that is
// in no attempt's folder stands for itself.
func (c *Client) attemptFolders(ctx context.Context, jobs string) (folders []Garbage, err error) {
	for o, err := range c.List(ctx, jobs, "") {
		if err != nil {
			return nil, err
		}
		path := o.Path
		if parts := strings.SplitN(strings.TrimPrefix(path, jobs), "/", 3); len(parts) == 3 {
			path = jobs + parts[0] + "/" + parts[1] + "/"
		}
		if n := len(folders); n == 0 || folders[n-1].Path != path {
			folders = append(folders, Garbage{Path: path})
		}
		g := &folders[len(folders)-1]
		g.Objects++
		g.Bytes += o.Size
		if o.Modified.After(g.Last) {
			g.Last = o.Modified
		}
	}
	return folders, nil
}

func (c *Client) uploadsOf(ctx context.Context, s Search) (found []Garbage, err error) {
	prefixes := s.Uploads
	if prefixes == nil {
		if prefixes, err = c.buckets(ctx); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, prefix := range append(prefixes[:len(prefixes):len(prefixes)], s.Jobs) {
		for u, err := range c.Uploads(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			if !seen[u.Path+"\x00"+u.ID] {
				seen[u.Path+"\x00"+u.ID] = true
				found = append(found, Garbage{Path: u.Path, Upload: u.ID, Last: u.Started})
			}
		}
	}
	return found, nil
}

// buckets lists all of them, each with a slash.
func (c *Client) buckets(ctx context.Context) (names []string, err error) {
	err = c.retry(ctx, "list buckets", "/", func(ctx context.Context) error {
		list, err := c.core.ListBuckets(ctx)
		names = names[:0]
		for _, b := range list {
			names = append(names, b.Name+"/")
		}
		return err
	})
	return names, err
}

// Discard removes what Garbage found. The first error ends it; what is left is
// found again. It returns how much it removed.
func (c *Client) Discard(ctx context.Context, found []Garbage) (removed int, err error) {
	for _, g := range found {
		switch {
		case g.Upload != "":
			err = c.AbortUpload(ctx, Upload{Path: g.Path, ID: g.Upload})
		case strings.HasSuffix(g.Path, "/"):
			_, err = c.DeletePrefix(ctx, g.Path)
		default:
			err = c.Delete(ctx, g.Path)
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
