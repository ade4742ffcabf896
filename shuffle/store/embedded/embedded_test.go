package embedded_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/embedded"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv("CAPSTAN_TEST_STORE_SERVER") == "1" {
		if err := embedded.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// start runs a store below dir and a client of its administrator.
func start(t testing.TB, dir string, change func(*embedded.Options)) (*embedded.Server, *store.Client) {
	t.Helper()
	o := embedded.Options{
		Command: []string{os.Args[0]},
		Env:     append(os.Environ(), "CAPSTAN_TEST_STORE_SERVER=1"),
		Root:    filepath.Join(dir, "store"),
	}
	if change != nil {
		change(&o)
	}
	s, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := store.Open(s.Access())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.EnsureBucket(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestConformance(t *testing.T) {
	s, _ := start(t, t.TempDir(), nil)
	storetest.Run(t, s.Access(), "test/suite/")
}
