package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
)

// defaultBucket is where results lie unless a job says otherwise.
const defaultBucket = "results/"

func (a *app) storeCommand() *cobra.Command {
	return family(&cobra.Command{Use: "store", Short: "Look into the object store"}, &cobra.Command{
		Use: "ls [s3://BUCKET/PREFIX]", Short: "List objects (default s3://results/)", Args: takes(0, 1),
		RunE: a.onStore(a.storeList),
	}, &cobra.Command{
		Use: "cat URL", Short: "Write a job's result as text, or an object as it is", Args: takes(1, 1),
		RunE: a.onStore(a.storeCat),
	}, &cobra.Command{
		Use: "get s3://BUCKET/KEY [FILE]", Short: "Copy an object to a file or folder, or to standard output", Args: takes(1, 2),
		RunE: a.onStore(a.storeGet),
	}, &cobra.Command{
		Use: "put FILE s3://BUCKET/KEY", Short: "Copy a file, or standard input (-), into the store", Args: takes(2, 2),
		RunE: a.onStore(a.storePut),
	}, a.storeGCCommand(), a.storeShareCommand())
}

// onStore makes a command of do that works on the host's store.
func (a *app) onStore(do func(context.Context, Store, []string) error) func(*cobra.Command, []string) error {
	return a.onAnyHost(func(ctx context.Context, s *session, args []string) error {
		st, err := a.storeOf(s)
		if err != nil {
			return err
		}
		return do(ctx, st, args)
	})
}

// storeOf opens the host's store.
func (a *app) storeOf(s *session) (Store, error) {
	var access core.StoreAccess
	if err := api.FromStruct(s.info.Store, &access); err != nil {
		return nil, err
	}
	return a.Wiring.Store(access)
}

// object is "bucket/key" of what a user names: s3://bucket/key, or that.
func object(name string) string { return strings.TrimPrefix(name, "s3://") }

func (a *app) storeList(ctx context.Context, s Store, args []string) error {
	prefix := defaultBucket
	if len(args) == 1 {
		prefix = object(args[0])
	}
	if !strings.Contains(prefix, "/") {
		prefix += "/"
	}
	found := false
	err := s.List(ctx, prefix, func(path string, n int64, at time.Time) error {
		found = true
		url := "s3://" + path
		return a.item(map[string]any{"path": url, "size": n, "modified": at}, url,
			fmt.Sprintf("%12d  %s  %s", n, at.Local().Format("2006-01-02 15:04:05"), clean(url)))
	})
	switch {
	case core.KindOf(err) == core.NotFound && len(args) == 1:
		bucket, _, _ := strings.Cut(prefix, "/")
		return core.Errorf(core.NotFound, "the store has no bucket %q", bucket).
			Do("a job makes the bucket of its output, and `capstan store put` that of its object")
	case core.KindOf(err) == core.NotFound, err == nil && !found:
		a.hint("no object under s3://%s", clean(prefix))
		return nil
	}
	return err
}

// unformatted refuses -o to a command that writes data as it is.
func (a *app) unformatted(command string) error {
	if a.output == "table" {
		return nil
	}
	return core.Errorf(core.Invalid, "capstan store %s writes data as it is, never as %s", command, a.output).At("--output").
		Do("leave out -o; `capstan store ls -o " + a.output + "` tells of objects, and a job writes rows of JSON with spec.output.format: json")
}

func (a *app) storeCat(ctx context.Context, s Store, args []string) error {
	if err := a.unformatted("cat"); err != nil {
		return err
	}
	url := args[0]
	if !strings.Contains(url, "://") {
		url = "s3://" + url
	}
	err := s.Result(ctx, url, a.out)
	if core.KindOf(err) == core.NotFound && strings.HasPrefix(url, "s3://") && s.Get(ctx, object(url), a.out) == nil {
		return nil
	}
	return err
}

func (a *app) storeGet(ctx context.Context, s Store, args []string) error {
	if err := a.unformatted("get"); err != nil {
		return err
	}
	from := object(args[0])
	if len(args) == 1 || args[1] == "-" {
		return s.Get(ctx, from, a.out)
	}
	to := args[1]
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, path.Base(from))
	}
	// What is there stays until the whole object is.
	part := fmt.Sprintf("%s.%d.part", to, os.Getpid())
	f, err := os.Create(part)
	if err != nil {
		return core.Errorf(core.Invalid, "%v", err).Do("name a file in a folder that is there and yours")
	}
	err = s.Get(ctx, from, f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		os.Remove(part)
	}
	return err
}

func (a *app) storePut(ctx context.Context, s Store, args []string) error {
	from, to := args[0], object(args[1])
	var r io.Reader = a.in
	size := int64(-1)
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return core.Errorf(core.Invalid, "%v", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			return core.Errorf(core.Invalid, "%s is a folder", from).Do("put its files one by one")
		}
		if info.Mode().IsRegular() {
			size = info.Size()
		}
		r = f
		if !strings.Contains(to, "/") {
			to += "/"
		}
		if strings.HasSuffix(to, "/") {
			to += filepath.Base(from)
		}
	}
	if err := s.Put(ctx, to, r, size); err != nil {
		return err
	}
	url := "s3://" + to
	return a.print(map[string]string{"path": url}, []string{url}, func(w io.Writer) { fmt.Fprintln(w, url) })
}
