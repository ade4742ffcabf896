package framework

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/sparktest"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
	"github.com/capstan-run/capstan/plugins/plugintest"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	sparktest.BeIfChild()
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// job is a Spark job whose application is lines of orders for the fake one.
func job(t *testing.T, size int, body map[string]any, orders ...string) core.Spec {
	t.Helper()
	app := filepath.Join(t.TempDir(), "app.py")
	if err := os.WriteFile(app, []byte(strings.Join(orders, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"app": app, "spark": sparktest.Distribution(t)}
	for k, v := range body {
		all[k] = v
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return core.Spec{Kind: spec.Kind, Metadata: core.Metadata{Name: "test", Queue: "default"},
		Gang: core.Gang{Size: size, CPU: 1000, Memory: 3 << 30}, Body: text}
}

func TestConform(t *testing.T) {
	plugintest.Conform(t, Framework{}, job(t, 2, nil, "say hello"), plugintest.Options{})
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name         string
		orders       []string
		kind         core.ErrKind
		what, detail string
	}{
		{"well", []string{"say hello"}, "", "", ""},
		{"exit code", []string{"complain first", "complain last", "exit 7"}, core.Failed, "app.py ended with exit status 7", "first\nlast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := plugintest.Run(t, Framework{}, job(t, 3, map[string]any{"args": []string{"10"}}, c.orders...), plugintest.Options{Size: 3})
			if core.KindOf(err) != c.kind {
				t.Fatalf("ends with %v, want kind %q", err, c.kind)
			}
			if e := core.AsError(err); e != nil && (e.What != c.what || e.Detail != c.detail || e.Remedy == "") {
				t.Errorf("says %q with %q and %q", e.What, e.Detail, e.Remedy)
			}
			if n := report.Counters; n["spark/tasks"] != 2 || n["spark/tasks failed"] != 1 || n["spark/stages"] != 1 {
				t.Errorf("counts %v", n)
			}
		})
	}
}

func TestNoDistribution(t *testing.T) {
	_, err := plugintest.Run(t, Framework{}, job(t, 1, map[string]any{"spark": "/no/such"}), plugintest.Options{Size: 1})
	if e := core.AsError(err); e == nil || e.Kind != core.Invalid || e.What != "there is no Spark in /no/such" || e.Remedy == "" {
		t.Errorf("ends with %v", err)
	}
}

// TestKept: the results and the event log are in the store when the job has ended.
func TestKept(t *testing.T) {
	st := storetest.Start(t, storetest.Options(t.TempDir()))
	client := storetest.Open(t, st.Access())
	if err := client.EnsureBucket(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	o := plugintest.Options{Store: st.Access(), Size: 2}
	o.Store.Prefix = "kept/attempt/"
	s := job(t, 2, map[string]any{"results": "s3://kept/out/", "eventLog": "s3://kept/events"}, "leave one", "leave two")
	if _, err := plugintest.Run(t, Framework{}, s, o); err != nil {
		t.Fatal(err)
	}
	var names []string
	for info, err := range client.List(t.Context(), "kept/", "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Path)
	}
	if want := []string{"kept/events/app-1", "kept/out/_manifest.json", "kept/out/one", "kept/out/two"}; !slices.Equal(names, want) {
		t.Errorf("kept %q, want %q", names, want)
	}
	r, _, err := client.Get(t.Context(), "kept/out/_manifest.json", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !strings.Contains(string(b), `"two"`) {
		t.Errorf("the manifest says %s, %v", b, err)
	}
	// A later attempt finds them; the results of another job are not written over.
	if _, err := plugintest.Run(t, Framework{}, s, o); err != nil {
		t.Errorf("a second time: %v", err)
	}
	other := `{"job": "other"}`
	if _, err := client.Put(t.Context(), "kept/taken/_manifest.json", strings.NewReader(other), int64(len(other)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s = job(t, 2, map[string]any{"results": "s3://kept/taken"}, "leave one")
	if _, err := plugintest.Run(t, Framework{}, s, o); core.KindOf(err) != core.Failed || core.AsError(err).Where != "spec.results" {
		t.Errorf("where another job has been: %v", err)
	}
}

// TestCancel: an application that would run for ever is ended.
func TestCancel(t *testing.T) {
	fifo := pipe(t)
	g := plugintest.NewGang(t, Framework{}, job(t, 1, nil, "tell "+fifo, "wait"), plugintest.Options{Size: 1})
	go func() { heard(t, fifo); g.Cancel("enough") }()
	if _, err := g.Run(t.Context()); core.KindOf(err) != core.Cancelled {
		t.Errorf("ends with %v", err)
	}
}

// TestGiveWay: an application whose gang gives way begins again.
func TestGiveWay(t *testing.T) {
	mark, fifo := filepath.Join(t.TempDir(), "ran"), pipe(t)
	g := plugintest.NewGang(t, Framework{}, job(t, 2, nil, "once "+mark, "tell "+fifo, "wait"), plugintest.Options{Size: 2})
	go func() { heard(t, fifo); g.GiveWay("main", time.Now().Add(time.Minute)) }()
	if _, err := g.Run(t.Context()); err != nil {
		t.Errorf("ends with %v", err)
	}
}

// TestLoss: the application goes on when a worker's executor is lost and
// replaced, and does not when the driver's is.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		rank int
		kind core.ErrKind
	}{{1, core.Cancelled}, {0, core.Failed}} {
		fifo := pipe(t)
		serving := make(chan struct{}, 3)
		g := plugintest.NewGang(t, Framework{}, job(t, 2, nil, "tell "+fifo, "wait"), plugintest.Options{Size: 2, On: func(_ *plugintest.Gang, e core.Event) {
			if m, ok := e.(core.Message); ok && strings.Contains(string(m.Data), `"serving":{`) {
				serving <- struct{}{}
			}
		}})
		go func() {
			heard(t, fifo)
			<-serving
			g.Kill("main", c.rank)
			if c.rank == 0 {
				return
			}
			if err := g.Replace("main", c.rank); err != nil {
				t.Error(err)
			}
			<-serving
			g.Cancel("enough")
		}()
		if _, err := g.Run(t.Context()); core.KindOf(err) != c.kind {
			t.Errorf("rank %d lost: ends with %v", c.rank, err)
		}
	}
}

func pipe(t *testing.T) string {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "here")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	return fifo
}

// heard waits until the application tells that it is there.
func heard(t *testing.T, fifo string) {
	if _, err := os.ReadFile(fifo); err != nil {
		t.Error(err)
	}
}
