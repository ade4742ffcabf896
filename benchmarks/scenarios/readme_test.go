package scenarios

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// block finds the fenced block of the README that holds text.
func block(t *testing.T, text string) string {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(read(t, filepath.Join(module, "README.md")), -1) {
		if strings.Contains(m[2], text) {
			return m[2]
		}
	}
	t.Fatalf("no block of the README holds %q", text)
	return ""
}

// TestReadmeBlocks knows every block of the README: a new one needs a test.
func TestReadmeBlocks(t *testing.T) {
	tested := []string{"make demo", "capstan run job.yaml", "name: installed", "script-wordcount", "mapreduce.Main", "plugins/examples/pi", "curl --unix-socket", "kind: Service", "capstan deploy",
		"kind: Batch", "capstan submit job.sh", "name: report", "capstan why JOB", "research/vision", "apt-cache dumpavail", "kind: BSP", "func (component) Compute", "kind: Spark", "mpi/examples/heat", "./boss", "kind: MPI"}
	for _, m := range fence.FindAllStringSubmatch(read(t, filepath.Join(module, "README.md")), -1) {
		known := false
		for _, s := range tested {
			known = known || strings.Contains(m[2], s)
		}
		if !known {
			t.Errorf("no test knows this block:\n%s", m[2])
		}
	}
}

// TestReadmeMake holds that the commands of the first block exist.
func TestReadmeMake(t *testing.T) {
	for line := range strings.Lines(block(t, "make demo")) {
		command, _, _ := strings.Cut(line, "#")
		args := append(strings.Fields(command), "-n", "-C", module)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}

// TestReadmeDemo runs the demo, with an input of the test's.
func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	l := bare(t, "process")
	l.fill(3, 100, nil)
	l.write("go/src/a.go", "package a\n\n// words words words\n")
	cmd := exec.Command(filepath.Join(module, "benchmarks", "demo.sh"), capstan)
	cmd.Env = append(os.Environ(), "CAPSTAN_STATE="+l.state, "GOROOT="+filepath.Join(l.dir, "go"))
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`words\s+3\b`).Match(out) || !strings.Contains(string(out), "per core") {
		t.Errorf("demo.sh: %v\n%s", err, out)
	}
}

// TestReadmeBuiltIn runs the first document as it stands.
func TestReadmeBuiltIn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.write("log/dpkg.log", "a line\nstatus installed a\nanother\n")
		l.write("log/dpkg.log.1", "status half-installed b\nstatus installed b\n")
		doc := strings.Replace(block(t, "name: installed"), "/var/log", filepath.Join(l.dir, "log"), 1)
		l.ok("run", l.write("job.yaml", doc))
		if out := sorted(l.ok("store", "cat", "s3://results/installed")); out != "status installed a\nstatus installed b" {
			t.Errorf("the result is\n%s", out)
		}
	})
}

// TestReadmeScripts runs the second document with the mapper of every Hadoop
// tutorial.
func TestReadmeScripts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		want := l.fill(3, 100, nil)
		l.write("mapper.py", "#!/usr/bin/awk -f\n{ for (i = 1; i <= NF; i++) print $i \"\\t1\" }\n")
		out := filepath.Join(l.dir, "out")
		doc := strings.NewReplacer("/usr/share/common-licenses", l.in(), "/tmp/script-wordcount", out).Replace(block(t, "script-wordcount"))
		l.ok("run", l.write("job.yaml", doc))
		l.check(want, "file://"+out)
	})
}

// TestReadmeGo runs the program from an empty folder with nothing but our
// module.
func TestReadmeGo(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		want := l.fill(3, 100, nil)
		l.goProgram("wordcount", block(t, "mapreduce.Main"))
		text := l.goRun("wordcount", "file://"+l.in())
		url := regexp.MustCompile(`(s3|file)://\S+`).FindString(text)
		t.Logf("%s", text)
		l.check(want, url)
	})
}

// goProgram writes a program into an empty folder with nothing but our module.
func (l *lab) goProgram(name, source string) {
	l.t.Helper()
	l.write(name+"/main.go", source)
	l.write(name+"/go.mod", "module "+name+"\n\ngo 1.26\n\nrequire github.com/capstan-run/capstan v0.0.0\n\nreplace github.com/capstan-run/capstan => "+module+"\n")
	l.write(name+"/go.sum", read(l.t, filepath.Join(module, "go.sum")))
}

// goRun runs it, and returns what it printed.
func (l *lab) goRun(name string, args ...string) string {
	l.t.Helper()
	cmd := exec.Command("go", append([]string{"run", ".", "--"}, args...)...)
	cmd.Dir = filepath.Join(l.dir, name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "CAPSTAN_STATE="+l.state,
		"PATH="+filepath.Dir(capstan)+":"+os.Getenv("PATH"))
	text, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("go run: %v\n%s\nhost log:\n%s", err, text, l.hostLog())
	}
	return string(text)
}

// vertexProgram is what stands around the README's Compute.
const vertexProgram = `package main

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
)

type component struct{}

%s
func main() {
	bsp.Main(bsp.Job{Name: "component", Gang: core.Gang{Size: 2, CPU: 500, Memory: 128 << 20}, Program: func(o bsp.Options) (bsp.Program, error) {
		return vertex.New(component{}, vertex.Config[int64, struct{}, int64]{Graph: o.Graph(), Combiner: vertex.Min[int64](),
			Init: func(v *vertex.Vertex[int64, struct{}, int64]) int64 { return v.ID() }})
	}})
}
`

// TestReadmeVertex runs the vertex program.
func TestReadmeVertex(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.goProgram("component", fmt.Sprintf(vertexProgram, block(t, "func (component) Compute")))
		out := filepath.Join(l.dir, "out")
		edges := l.write("edges/e.txt", "1 2\n2 1\n3 2\n2 3\n7 9\n9 7\n")
		l.goRun("component", "-output", "file://"+out, "-output-format", "csv", "file://"+filepath.Dir(edges))
		if got := sorted(l.ok("store", "cat", "file://"+out)); !strings.Contains(got, "1,1\n2,1\n3,1\n7,7\n9,7") {
			t.Errorf("the result is\n%s", got)
		}
	})
}

// TestReadmeGraph makes edges of a package list as the README does, and runs its
// document over them.
func TestReadmeGraph(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.write("available", "Package: a\nDepends: libc (>= 2), b | c\n\nPackage: b\nPre-Depends: libc:any\n\nPackage: d\nDepends: b, libc\n")
		list := "cat " + filepath.Join(l.dir, "available")
		shell, _, _ := strings.Cut(block(t, "apt-cache dumpavail"), "bin/capstan")
		shell = strings.NewReplacer("apt-cache dumpavail", list, "/tmp/leaned-on", filepath.Join(l.dir, "leaned-on")).Replace(shell)
		if out, err := exec.Command("sh", "-e", "-c", shell).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		doc := strings.Replace(block(t, "kind: BSP"), "/tmp/leaned-on", filepath.Join(l.dir, "leaned-on"), 1)
		out := l.ok("run", l.write("leaned-on.yaml", doc))
		if !regexp.MustCompile(`key\s+value\s+libc\s+0\.`).MatchString(out) {
			t.Errorf("libc does not come first:\n%s", out)
		}
	})
}

// TestReadmeService deploys the service and does what stands below it.
func TestReadmeService(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_DOCKER") == "1" {
			t.Fatal("no /usr/bin/python3: where nothing may be missing, install it")
		}
		t.Skip("NOT TESTED: no python3 here")
	}
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		l.write("web.yaml", block(t, "kind: Service"))
		cmd := exec.Command("sh", "-e", "-c", strings.ReplaceAll(block(t, "capstan deploy"), "capstan ", capstan+" --state "+l.state+" "))
		cmd.Dir = l.dir
		// There is one version, so going back is refused, as the last of them.
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "there is no good version before 1") || !strings.Contains(string(out), "web-1  1        ready") {
			t.Errorf("%v\n%s\nhost log:\n%s", err, out, l.hostLog())
		}
		l.standing("web", 3, 1)
		l.ok("cancel", "web")
		l.event("web", "swept", "")
	})
}

// TestReadmePlugin drops the example framework into the folder of a host that
// runs.
func TestReadmePlugin(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := open(t, launcher)
		script := strings.NewReplacer("~/.local/state/capstan", l.state, "bin/capstan", capstan).Replace(block(t, "plugins/examples/pi"))
		cmd := exec.Command("sh", "-e", "-c", script)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "CAPSTAN_STATE="+l.state, "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "3.14159") || !strings.Contains(string(out), "pinned") {
			t.Errorf("%v\n%s\nhost log:\n%s", err, out, l.hostLog())
		}
	})
}

// TestReadmeHeat runs the programs that pass messages as the README does, in less
// steps: they print one line, and there is a picture.
func TestReadmeHeat(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"mpicc.mpich", "python3"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "1" {
			t.Skipf("NOT TESTED: %v", err)
		}
	}
	l := open(t, "process")
	dir := filepath.Join(l.dir, "work")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "set -e\ncd " + dir + "\nln -s " + filepath.Join(module, "frameworks") + " frameworks\n"
	for line := range strings.Lines(block(t, "mpi/examples/heat")) {
		line = strings.Replace(line, "128 10000", "32 50", 1)
		line = strings.Replace(line, "128 100", "32 50", 1)
		switch {
		case strings.HasPrefix(line, "go build"):
			line = strings.Replace(line, "go build -o heat", "go build -C "+module+" -o "+filepath.Join(dir, "heat"), 1)
		case strings.HasPrefix(line, "capstan mpi-rank"):
			line = "" // the client must not be left in the source tree
		case strings.HasPrefix(line, "capstan mpiexec -n 2 capstan"):
			line = "export PYTHONPATH=" + filepath.Join(module, "frameworks", "mpi", "exec", "python") + " PYTHONDONTWRITEBYTECODE=1\n" + line
		}
		script += line
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "CAPSTAN_STATE="+l.state, "PATH="+filepath.Dir(capstan)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "32 x 32, 50 steps: heat ") != 3 {
		t.Fatalf("%v\n%s\nhost log:\n%s", err, out, l.hostLog())
	}
	var said []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "32 x 32") {
			said = append(said, line)
		}
	}
	if said[0] != said[1] || said[0] != said[2] {
		t.Errorf("C, Go and Python differ:\n%s", out)
	}
	if p := read(t, filepath.Join(dir, "plate.png")); !strings.HasPrefix(p, "\x89PNG") {
		t.Errorf("a picture that begins with %.8q", p)
	}
}

// TestReadmeHosting runs two programs in one world as the README does, and validates
// its document.
func TestReadmeHosting(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	dir := filepath.Join(l.dir, "work")
	l.write("work/boss", "#!/bin/sh\necho boss\n")
	l.write("work/worker", "#!/bin/sh\necho worker $LEVEL\n")
	l.write("work/heat-mpich", "#!/bin/sh\n")
	l.write("work/mpi.yaml", block(t, "kind: MPI"))
	script := "set -e\ncd " + dir + "\nchmod +x boss worker heat-mpich\ncapstan validate mpi.yaml >&2\n" + block(t, "./boss")
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "CAPSTAN_STATE="+l.state, "PATH="+filepath.Dir(capstan)+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	if got := sorted(string(out)); err != nil || got != "boss\nworker 2\nworker 2\nworker 2" {
		t.Errorf("%v: %q\nhost log:\n%s", err, got, l.hostLog())
	}
}

// TestReadmeCurl calls the API as the README does.
func TestReadmeCurl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_DOCKER") == "1" {
			t.Fatal("no curl: where nothing may be missing, install it")
		}
		t.Skip("no curl here")
	}
	l := open(t, "process")
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(block(t, "curl --unix-socket"), "~/.local/state/capstan", l.state))
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != "{}" {
		t.Errorf("curl: %v\n%s", err, out)
	}
}
