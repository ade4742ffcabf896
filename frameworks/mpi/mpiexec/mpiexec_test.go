package mpiexec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
)

// made is what the tests look at of a document.
type made struct {
	Gang struct {
		Size        int
		CPU, Memory string
	}
	Spec spec.Body
}

func makes(t *testing.T, s Site, args ...string) made {
	t.Helper()
	l, err := Parse(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	b, err := l.Document(s)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	var m made
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("-n 2 \"./a b\" 'c d' # no more\n: -n 1 ./b\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPrograms(t *testing.T) {
	s := Site{Dir: folder(t, "line", "in.txt", "heat"), Launcher: "docker"}
	for _, c := range []struct {
		line string
		want []spec.Program
	}{
		{"-n 4 ./heat --steps 10", []spec.Program{{Ranks: 4, Command: []string{"./heat", "--steps", "10"}}}},
		{"--np 2 heat", []spec.Program{{Ranks: 2, Command: []string{"./heat"}}}},
		{"-np=2 hostname -s", []spec.Program{{Ranks: 2, Command: []string{"hostname", "-s"}}}},
		{"-n 1 a : -n 3 -env K V -wdir /d b", []spec.Program{{Ranks: 1, Command: []string{"a"}}, {Ranks: 3, Command: []string{"b"}, Env: map[string]string{"K": "V"}, Workdir: "/d"}}},
		{"-genv G 1 -n 1 -env G 2 a : b", []spec.Program{{Ranks: 1, Command: []string{"a"}, Env: map[string]string{"G": "2"}}, {Ranks: 1, Command: []string{"b"}, Env: map[string]string{"G": "1"}}}},
		{"-configfile " + s.Dir + "/line", []spec.Program{{Ranks: 2, Command: []string{"./a b", "c d"}}, {Ranks: 1, Command: []string{"./b"}}}},
	} {
		m := makes(t, s, strings.Fields(c.line)...)
		got := m.Spec.Programs
		if got == nil {
			got = []spec.Program{{Ranks: m.Spec.Ranks, Command: m.Spec.Command, Env: m.Spec.Env, Workdir: m.Spec.Workdir}}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, d)
		}
	}
	m := makes(t, s, strings.Fields("-n 2 --failure restart --restarts 5 --checkpoint ckpt --finalize-grace 2s a")...)
	if b := m.Spec; b.Failure != spec.Restart || b.Restarts != 5 || b.Checkpoint.Path != "ckpt" || b.FinalizeGrace != core.Duration(2*time.Second) {
		t.Errorf("settings: %+v", b)
	}
	if m := makes(t, s, "-n", "2", "python3", "in.txt", "./heat", "/etc/passwd"); !cmp.Equal(m.Spec.Files, []string{"./in.txt", "./heat"}) {
		t.Errorf("files %q", m.Spec.Files)
	}
}

// The executors ask for what their ranks take, as far as the node has it.
func TestGang(t *testing.T) {
	node := core.Resources{CPU: 2000, Memory: 8 << 30}
	for _, c := range []struct {
		line        string
		size        int
		cpu, memory string
	}{
		{"-n 2 a", 1, "2", "512Mi"},
		{"-n 8 a", 1, "2", "2Gi"},
		{"-n 4 -ppn 2 a", 2, "1", "512Mi"},
		{"-n 4 -ppn 9 a", 1, "2", "1Gi"},
		{"-n 64 -ppn 1 a", 64, "100m", "64Mi"},
		{"-n 1 --cpu 500m --memory 1Gi a", 1, "500m", "1Gi"},
	} {
		m := makes(t, Site{Dir: "/", Launcher: "docker", Node: node}, strings.Fields(c.line)...)
		if g := m.Gang; g.Size != c.size || g.CPU != c.cpu || g.Memory != c.memory {
			t.Errorf("%s: %+v", c.line, g)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := Site{Dir: "/home/me", Environ: []string{"LEVEL=3", "HOME=/home/me", "PATH=/usr/bin", "MY_TOKEN=x", "PWD=/home/me", "CAPSTAN_STATE=/s", "1X=y"}}
	for _, c := range []struct {
		launcher, line string
		want           map[string]string
	}{
		{"docker", "a", map[string]string{"LEVEL": "3"}},
		{"process", "a", map[string]string{"LEVEL": "3", "HOME": "/home/me", "PATH": "/usr/bin"}},
		{"docker", "-envall a", map[string]string{"LEVEL": "3", "MY_TOKEN": "x"}},
		{"docker", "-genvnone a", nil},
		{"docker", "-envlist MY_TOKEN,HOME a", map[string]string{"MY_TOKEN": "x", "HOME": "/home/me"}},
		{"docker", "-x LEVEL=4 -x HOME a", map[string]string{"LEVEL": "4", "HOME": "/home/me"}},
	} {
		s.Launcher = c.launcher
		if d := cmp.Diff(c.want, makes(t, s, strings.Fields(c.line)...).Spec.Env); d != "" {
			t.Errorf("%s: %s (-want +got):\n%s", c.launcher, c.line, d)
		}
	}
}

// Law X1.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-hosts a,b -n 2 x", "option -hosts cannot be honoured: the host's scheduler chooses"},
		{"-machinefile f x", "option -machinefile cannot be honoured"},
		{"-np x", "option -np: \"x\" is no number"},
		{"-n 0 x", "is no number from 1"},
		{"-n", "option -n needs 1 values"},
		{"-env A x", "no program behind the options"},
		{"-frobnicate x", "option -frobnicate is not known"},
		{"-s all x", "standard input goes to rank 0"},
		{"-bind-to socket x", "bound to cores or not at all"},
		{"", "no program"},
		{"-configfile /no/such", "no such file"},
	} {
		_, err := Parse(strings.Fields(c.line))
		if core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.line, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-n 4 ./heat : -env A B x")
	f.Add("--np=2 -l a -n")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "configfile") {
			return // it may name any file
		}
		l, err := Parse(strings.Fields(line))
		if err != nil || l.Help || l.Version {
			return
		}
		b, err := l.Document(Site{Dir: "/", Launcher: "docker"})
		if err != nil {
			return
		}
		var m made
		if err := json.Unmarshal(b, &m); err != nil || m.Gang.Size < 1 {
			t.Errorf("%q: %v, %s", line, err, b)
		}
	})
}

func TestWords(t *testing.T) {
	for in, want := range map[string][]string{
		"":                     nil,
		"# nothing":            nil,
		`a "b c" d\ e 'f\' ""`: {"a", "b c", "d e", `f\`, ""},
		"a#b # c":              {"a#b"},
	} {
		got, err := words(in)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := words(`a "b`); err == nil {
		t.Error("an open quote is taken")
	}
}
