package engine_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/engine"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

const runnerEnv = "CAPSTAN_TEST_STREAM_RUNNER"

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	if doc := os.Getenv(runnerEnv); doc != "" {
		if err := runner([]byte(doc)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// order is what a runner process is told.
type order struct {
	Access   core.StoreAccess
	Topology topology.Topology
	Owner    string
}

// runner runs a topology over a real store. Before and after each commit it says
// so on its stdout, and goes on when it is told to.
func runner(doc []byte) error {
	var o order
	if err := json.Unmarshal(doc, &o); err != nil {
		return err
	}
	client, err := store.Open(o.Access)
	if err != nil {
		return err
	}
	defer client.Close()
	return engine.Run(context.Background(), engine.Config{Topology: &o.Topology, Owner: o.Owner, Batch: 2, Results: operator.Results{Client: client},
		Store: telling{snapshot.Objects{Client: client, Prefix: "test/topology/"}}})
}

type telling struct{ snapshot.Store }

func (s telling) Commit(ctx context.Context, name string, b []byte) error {
	pause("before", name)
	err := s.Store.Commit(ctx, name, b)
	pause("after", name)
	return err
}

// pause waits until we are told to go on, or killed.
func pause(when, name string) {
	fmt.Println(when, name)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// A process that is killed in the middle, by signal 9, is gone on from by
// another; what is in the store is that of one that was not.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	want := write(t, dir, 4, 1200)
	client := storetest.Open(t, storetest.Start(t, storetest.Options(dir)).Access())
	top := wordCount(t, fileURL(dir, "*.txt"), "s3://test/results/", 2)
	kills := 0
	for try := 0; ; try++ {
		if try > 500 {
			t.Fatal("it does not come to its end")
		}
		cmd, tell, said := start(t, order{client.Access(), *top, fmt.Sprint("process", try)})
		scan := bufio.NewScanner(said)
		for scan.Scan() {
			if try < 4 && strings.HasPrefix(scan.Text(), []string{"before", "after"}[try%2]) {
				_ = cmd.Process.Kill()
			}
			_, _ = io.WriteString(tell, "go on\n")
		}
		err := cmd.Wait()
		if err == nil {
			break
		}
		if kills++; try >= 4 {
			t.Fatalf("nobody killed it: %v", err)
		}
	}
	if kills < 2 {
		t.Errorf("it was killed %d times", kills)
	}
	out := filepath.Join(dir, "out")
	fetch(t, client, "test/results/", out)
	check(t, out, want)
}

func start(t *testing.T, o order) (*exec.Cmd, io.Writer, io.Reader) {
	t.Helper()
	doc, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runnerEnv+"="+string(doc))
	cmd.Stderr = os.Stderr
	tell, err1 := cmd.StdinPipe()
	said, err2 := cmd.StdoutPipe()
	if err := cmp.Or(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, tell, said
}

// fetch copies objects to a directory.
func fetch(t *testing.T, client *store.Client, prefix, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for info, err := range client.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := client.Get(t.Context(), info.Path, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, strings.TrimPrefix(info.Path, prefix)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
