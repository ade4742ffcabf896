package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/docker"
	"github.com/capstan-run/capstan/core/launch/launchtest"
)

func TestMain(m *testing.M) {
	launchtest.Main()
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	engine := dial(t)
	open(t, t.TempDir(), launchtest.Instance()).Close() // skips once, not in every test
	launchtest.Test(t, launchtest.Config{
		Open: func(t *testing.T, stateDir, instance string) launch.Launcher { return open(t, stateDir, instance) },
		Kill: func(t *testing.T, instance string, a *launchtest.Agent) {
			if err := engine.ContainerKill(t.Context(), "capstan-"+instance+"-"+a.Hello.Name, "KILL"); err != nil {
				t.Error(err)
			}
		},
		Obstruct: func(t *testing.T, stateDir, id string) {
			if err := os.Mkdir(filepath.Join(stateDir, "scratch", id), 0o700); err != nil {
				t.Error(err)
			}
		},
		Leftovers: func(t *testing.T, instance string) []string { return leftovers(t, engine, instance) },
		Contained: true,
	})
}

// open opens a launcher, and skips the test where no engine answers unless
// CAPSTAN_REQUIRE_DOCKER is 1.
func open(t testing.TB, stateDir, instance string) *docker.Launcher {
	t.Helper()
	l, err := docker.New(t.Context(), docker.Config{StateDir: stateDir, Instance: instance})
	if errors.Is(err, launch.ErrNoEngine) && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "1" {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dial is the test's own line to the engine.
func dial(t testing.TB) *client.Client {
	t.Helper()
	engine, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return engine
}

func leftovers(t testing.TB, engine *client.Client, instance string) []string {
	t.Helper()
	ours := filters.NewArgs(filters.Arg("label", launch.LabelInstance+"="+instance))
	containers, err := engine.ContainerList(context.Background(), container.ListOptions{All: true, Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := engine.NetworkList(context.Background(), network.ListOptions{Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, c := range containers {
		left = append(left, c.Names...)
	}
	for _, n := range networks {
		left = append(left, n.Name)
	}
	return left
}

// networksOf counts an instance's networks.
func networksOf(t testing.TB, instance string) int {
	t.Helper()
	list, err := dial(t).NetworkList(t.Context(), network.ListOptions{
		Filters: filters.NewArgs(filters.Arg("label", launch.LabelInstance+"="+instance)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// tarWith is a tar of one file.
func tarWith(t testing.TB, name, body string) io.Reader {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}
