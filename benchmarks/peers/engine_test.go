package peers

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// fakeEngine answers the calls of this package, and counts containers.
type fakeEngine struct {
	mu                     sync.Mutex
	made, started, removed int
	refuse                 bool // the start of the second container
}

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.URL.Path == "/images/json":
		fmt.Fprint(w, `[{"RepoTags":["capstan/base:1"]}]`)
	case r.URL.Path == "/containers/create":
		f.made++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"Id":"c%d"}`, f.made)
	case strings.HasSuffix(r.URL.Path, "/start"):
		if f.refuse && strings.Contains(r.URL.Path, "c2") {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"message":"no room"}`)
			return
		}
		f.started++
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		f.removed++
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fakeEngine) serve(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(f)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	t.Setenv("DOCKER_HOST", "unix://"+socket)
}

func TestStartRemovesWhatItMade(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		f := &fakeEngine{refuse: refuse}
		f.serve(t)
		e, err := OpenEngine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Start(t.Context(), 4)
		if (err != nil) != refuse || refuse && !strings.Contains(err.Error(), "no room") {
			t.Errorf("refuse %v: %v", refuse, err)
		}
		if f.made != 4 || f.removed != 4 {
			t.Errorf("made %d, removed %d", f.made, f.removed)
		}
	}
}

func TestOpenEngineWithoutOne(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	if _, err := OpenEngine(t.Context()); core.KindOf(err) != core.Invalid {
		t.Error(err)
	}
}

func TestSparkCommand(t *testing.T) {
	s := &Spark{python: "/venv/bin/python", script: "/cache/wordcount.py"}
	if got := strings.Join(s.Command("rdd", 2, "/in", "/out"), " "); got != "/venv/bin/python /cache/wordcount.py rdd 2 /in /out" {
		t.Error(got)
	}
	for _, use := range []string{"how, cores, source, target = sys.argv[1:]", `how == "rdd"`} {
		if !strings.Contains(string(sparkWordCount), use) {
			t.Errorf("the script does not read its arguments as the command gives them: %s", use)
		}
	}
}
