package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestGarbage(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c := storetest.Open(t, s.Access())
	for _, path := range []string{
		"test/jobs/gone/1/a", "test/jobs/gone/1/deep/b", "test/jobs/gone/2/c",
		"test/jobs/alive/1/old", "test/jobs/alive/2/now", "test/jobs/alive/2/x/y",
		"test/jobs/stray", "test/results/gone/part-0", "test/jobs-not/1/a",
	} {
		if _, err := c.Put(t.Context(), path, strings.NewReader(path), int64(len(path)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mc := storetest.Core(t, s.Access())
	for _, key := range []string{"jobs/alive/2/upload", "jobs/alive/1/upload", "jobs/gone/1/upload", "results/x"} {
		if _, err := mc.NewMultipartUpload(t.Context(), "test", key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	search := store.Search{
		Jobs: "test/jobs/", Before: time.Now().Add(time.Hour),
		Live: func(context.Context) (map[core.JobID]core.Epoch, error) {
			asked++
			return map[core.JobID]core.Epoch{"alive": 2}, nil
		},
	}
	found, err := c.Garbage(t.Context(), search)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range found {
		what := fmt.Sprintf("%s %d/%d", g.Path, g.Objects, g.Bytes)
		if g.Upload != "" {
			what = g.Path + " upload"
		}
		got = append(got, what)
		if g.Why == "" || g.Last.IsZero() || strings.HasPrefix(g.Path, "test/jobs/") != (g.Job != "") {
			t.Errorf("%+v", g)
		}
	}
	want := []string{
		"test/jobs/alive/1/ 1/21", "test/jobs/alive/1/upload upload",
		"test/jobs/gone/1/ 2/41", "test/jobs/gone/1/upload upload", "test/jobs/gone/2/ 1/18",
		"test/jobs/stray 1/15", "test/results/x upload",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || asked != 1 {
		t.Errorf("found\n%q, want\n%q; asked %d times", got, want, asked)
	}
	if n, err := c.Discard(t.Context(), found); n != len(want) || err != nil {
		t.Errorf("%d discarded, %v", n, err)
	}
	if again, err := c.Garbage(t.Context(), search); len(again) != 0 || err != nil {
		t.Errorf("found again: %+v, %v", again, err)
	}
	left := 0
	for o, err := range c.List(t.Context(), "test/", "") {
		if err != nil || strings.Contains(o.Path, "/gone/1") || strings.Contains(o.Path, "alive/1") {
			t.Errorf("left: %+v, %v", o, err)
		}
		left++
	}
	uploads := 0
	for u, err := range c.Uploads(t.Context(), "test/") {
		if err != nil || u.Path != "test/jobs/alive/2/upload" {
			t.Errorf("left: %+v, %v", u, err)
		}
		uploads++
	}
	if left != 4 || uploads != 1 {
		t.Errorf("%d objects and %d uploads are left", left, uploads)
	}
}

// What is young is spared: another host of the same moment may just have made
// it.
func TestGarbageSparesTheYoung(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c := storetest.Open(t, s.Access())
	put := func(path string) {
		if _, err := c.Put(t.Context(), path, strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("test/jobs/gone/1/a")
	search := store.Search{
		Jobs: "test/jobs/", Before: time.Now().Add(-time.Hour), Uploads: []string{},
		Live: func(context.Context) (map[core.JobID]core.Epoch, error) { return nil, nil },
	}
	if found, err := c.Garbage(t.Context(), search); len(found) != 0 || err != nil {
		t.Errorf("%+v, %v", found, err)
	}
	broken := errors.New("the host is away")
	search.Before = time.Now().Add(time.Hour)
	search.Live = func(context.Context) (map[core.JobID]core.Epoch, error) { return nil, broken }
	if found, err := c.Garbage(t.Context(), search); len(found) != 0 || !errors.Is(err, broken) {
		t.Errorf("without the live jobs: %+v, %v", found, err)
	}
}

func TestShareNeedsAnAddress(t *testing.T) {
	c := storetest.Open(t, core.StoreAccess{Endpoint: "unix:///nowhere", AccessKey: "a", SecretKey: "s"})
	if _, err := c.Share(t.Context(), "test/a", time.Hour); core.KindOf(err) != core.Invalid {
		t.Error(err)
	}
}
