package docker_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/launchtest"
)

// BenchmarkGangOf8 holds a cold gang of 8 against the bare engine's own
// parallel create and start of 8 containers of the same image and command,
// without our mounts, limits and walls, in turn in the same run. Both are
// timed until the engine has accepted every start. It reports the medians in
// milliseconds and their ratio, gang/bare; the goal is at most 1.3.
//
//	go test ./core/launch/docker -run '^$' -bench GangOf8 -benchtime 10x
func BenchmarkGangOf8(b *testing.B) {
	const size = 8
	engine := dial(b)
	l := open(b, b.TempDir(), launchtest.Instance())
	defer l.Close()
	shared := b.TempDir()
	if err := os.Chmod(shared, 0o777); err != nil {
		b.Fatal(err)
	}
	warmUp(b, l, shared)
	tag := baseTag(b, engine)

	var ours, bare []time.Duration
	for i := range b.N {
		ours = append(ours, timeGang(b, l, shared, i, size))
		bare = append(bare, timeBare(b, engine, tag, i, size))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	gang, engineAlone := ours[len(ours)/2], bare[len(bare)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(gang.Microseconds())/1e3, "gang-ms")
	b.ReportMetric(float64(engineAlone.Microseconds())/1e3, "bare-ms")
	b.ReportMetric(float64(gang)/float64(engineAlone), "ratio")
}

// asleep is an agent without a host: it sleeps until it is killed.
var asleep = []string{"launchtest-asleep"}

// warmUp has the image imported and the binary copied.
func warmUp(b *testing.B, l launch.Launcher, shared string) {
	b.Helper()
	timeGang(b, l, shared, -1, 1)
}

func timeGang(b *testing.B, l launch.Launcher, shared string, round, size int) time.Duration {
	b.Helper()
	set := make([]launch.Executor, size)
	ids := make([]string, size)
	for i := range set {
		ids[i] = fmt.Sprintf("bench%d.%d", round, i)
		set[i] = launch.Executor{ID: ids[i], CPU: 500, Memory: 128 << 20, Shared: shared, Init: asleep}
	}
	began := time.Now()
	if err := l.Start(b.Context(), set); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := l.Stop(b.Context(), ids...); err != nil {
		b.Fatal(err)
	}
	return took
}

func timeBare(b *testing.B, engine *client.Client, tag string, round, size int) time.Duration {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, size)
	all := func(do func(i int) error) {
		b.Helper()
		var wg sync.WaitGroup
		for i := range size {
			wg.Go(func() {
				if err := do(i); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	began := time.Now()
	all(func(i int) error {
		c, err := engine.ContainerCreate(b.Context(), &container.Config{
			Image: tag, Entrypoint: []string{"/init"}, Cmd: asleep,
		}, &container.HostConfig{
			NetworkMode: "none", Binds: []string{self + ":/init:ro"},
		}, nil, nil, "")
		if err != nil {
			return err
		}
		ids[i] = c.ID
		return engine.ContainerStart(b.Context(), c.ID, container.StartOptions{})
	})
	took := time.Since(began)
	all(func(i int) error {
		return engine.ContainerRemove(b.Context(), ids[i], container.RemoveOptions{Force: true})
	})
	return took
}

func baseTag(b *testing.B, engine *client.Client) string {
	b.Helper()
	list, err := engine.ImageList(b.Context(), image.ListOptions{
		Filters: filters.NewArgs(filters.Arg("reference", "capstan/base")),
	})
	if err != nil || len(list) == 0 || len(list[0].RepoTags) == 0 {
		b.Fatalf("the built-in image is not there: %v", err)
	}
	return list[0].RepoTags[0]
}
