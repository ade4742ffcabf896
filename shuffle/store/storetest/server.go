package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/embedded"
)

const childEnv = "CAPSTAN_TEST_STORE_SERVER"

// ServeIfChild makes a test binary its own store server: call it first in
// TestMain. In the server's process it serves and exits; else it returns.
func ServeIfChild() {
	if os.Getenv(childEnv) != "1" {
		return
	}
	if err := embedded.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Options are those of a store in dir/store, served by this test binary.
func Options(dir string) embedded.Options {
	return embedded.Options{
		Command: []string{os.Args[0]},
		Env:     append(os.Environ(), childEnv+"=1"),
		Root:    filepath.Join(dir, "store"),
	}
}

// Start runs an embedded store with a bucket "test" for the test's life. The
// test's TestMain calls ServeIfChild.
func Start(t testing.TB, o embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := Open(t, s.Access())
	if err := c.EnsureBucket(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	return s
}

// Open returns a client for the test's life. It sees the store as another machine
// does: a Root in access is set aside, so that every read is a request.
func Open(t testing.TB, access core.StoreAccess) *store.Client {
	t.Helper()
	access.Root = ""
	return OpenBeside(t, access)
}

// OpenBeside returns a client for the test's life that reads the objects' plain
// files where access names their Root.
func OpenBeside(t testing.TB, access core.StoreAccess) *store.Client {
	t.Helper()
	c, err := store.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
