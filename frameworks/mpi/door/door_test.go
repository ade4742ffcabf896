package door

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/mpi/contract"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// The test's binary stands for capstan.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "mpi-") {
		os.Exit(Main(os.Args[1], os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// gang starts a keeper in each of so many executors, as the worker does, and
// returns what executor 0 printed and all exit codes.
func gang(t *testing.T, executors int, apart bool, args ...string) (out string, codes []int) {
	t.Helper()
	dir := t.TempDir()
	world := pmi.World{Name: "world", Programs: make([]int, executors)}
	server := pmi.NewServer(world, executors, pmi.NewLocal(1, nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	codes = make([]int, executors)
	texts := make([]bytes.Buffer, executors)
	var all sync.WaitGroup
	for n := range executors {
		node := "here"
		if apart {
			node = fmt.Sprint("node", n)
		}
		scratch := filepath.Join(dir, strconv.Itoa(n))
		if err := os.Mkdir(scratch, 0o700); err != nil {
			t.Fatal(err)
		}
		env := contract.Env{V: contract.Version, World: "world", Node: node, Dir: dir, Scratch: scratch}
		ours, theirs := pair(t)
		cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"mpi-keep"}, args...)...)
		cmd.Env = append(os.Environ(), "PMI_FD=3", fmt.Sprintf("PMI_RANK=%d", n), fmt.Sprintf("PMI_SIZE=%d", executors),
			contract.Name+"="+env.String(), fmt.Sprintf("EXECUTOR=%d", n), "TMPDIR="+scratch)
		cmd.ExtraFiles = []*os.File{theirs}
		cmd.Stdout, cmd.Stderr = &texts[n], &texts[n]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		all.Go(func() {
			defer ours.Close()
			if e, err := server.Serve(ctx, n, ours); err != nil || !e.Finalized {
				cancel()
			}
		})
		all.Go(func() {
			_ = cmd.Wait()
			codes[n] = cmd.ProcessState.ExitCode()
		})
	}
	all.Wait()
	for n := range texts[1:] {
		if s := texts[1+n].String(); s != "" {
			t.Logf("executor %d: %s", 1+n, s)
		}
	}
	return texts[0].String(), codes
}

func pair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if ours, err = a.(*net.UnixConn).File(); err == nil {
		theirs, err = b.(*net.UnixConn).File()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// need skips where a machine lacks a part; one that has all must not.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "" {
		t.Fatalf("no %s: install %s", program, pkg)
	}
	if err != nil {
		t.Skipf("no %s: install %s", program, pkg)
	}
	return path
}

func sorted(out, with string) string {
	var lines []string
	for l := range strings.Lines(out) {
		if strings.HasPrefix(l, with) {
			lines = append(lines, l)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// An unmodified program of Open MPI, on one executor and on two, which reach each
// other by a socket and by the network.
func TestOpenMPI(t *testing.T) {
	cc := need(t, "mpicc.openmpi", "libopenmpi-dev openmpi-bin")
	need(t, "orted", "openmpi-bin")
	program := filepath.Join(t.TempDir(), "program")
	if b, err := exec.Command(cc, "-o", program, filepath.Join("testdata", "openmpi.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, c := range []struct {
		executors, code int
		apart           bool
	}{{1, 0, false}, {2, 5, false}, {2, 0, true}} {
		t.Run(fmt.Sprintf("%d executors, apart %v", c.executors, c.apart), func(t *testing.T) {
			if c.apart && len(addresses()) == 0 {
				t.Skip("this machine has no network")
			}
			out, codes := gang(t, c.executors, c.apart, "-launcher", "openmpi", "-ranks", "3", "-slots", strconv.Itoa(4-c.executors),
				"--", "-np", "2", program, strconv.Itoa(c.code), ":", "-np", "1", program)
			want := ""
			for rank := range 3 {
				want += fmt.Sprintf("rank %d of 3 on %d, sum 3\n", rank, rank/(4-c.executors))
			}
			if got := sorted(out, "rank"); got != want {
				t.Errorf("got\n%s\nwant\n%s\nall: %s", got, want, out)
			}
			if codes[0] != c.code {
				t.Errorf("exit codes %v, want %d of executor 0", codes, c.code)
			}
		})
	}
}

// The stand-in for a Chapel program, in which a worker may fail.
func TestChapel(t *testing.T) {
	python := need(t, "python3", "python3")
	args := []string{"-launcher", "chapel", "-ranks", "3", "-slots", "2", "--", python, filepath.Join("testdata", "chapel.py")}
	out, codes := gang(t, 2, false, args...)
	want := "locale 0 of 3 on executor 0 heard from 2, it is $5\nlocale 1 of 3 on executor 0 heard from 0, it is $5\nlocale 2 of 3 on executor 1 heard from 1, it is $5\n"
	got := sorted(out, "locale")
	for n := range 3 { // the master numbers them as they come
		if !strings.Contains(got, fmt.Sprintf("locale %d of 3", n)) || !strings.Contains(got, fmt.Sprintf("heard from %d, it is $5", n)) {
			t.Errorf("got\n%s\nwant, in some order of executors,\n%s", got, want)
		}
	}
	if strings.Count(got, "on executor 0") != 2 || strings.Count(got, "on executor 1") != 1 || strings.Count(out, "connected") != 3 {
		t.Errorf("workers were started as\n%s", out)
	}
	if !strings.Contains(out, "master heard 3 spawner ended with 0") || codes[0] != 0 {
		t.Errorf("code %d\n%s", codes[0], out)
	}
	t.Setenv("WORKER_CODE", "3")
	if out, _ := gang(t, 2, false, args...); !strings.Contains(out, "spawn failed.") {
		t.Errorf("a worker failed, and the spawner did not say so:\n%s", out)
	}
}

// keepers opens so many doors in this process.
func keepers(t *testing.T, n int, apart bool) []*Keeper {
	t.Helper()
	server := pmi.NewServer(pmi.World{Name: "w", Programs: make([]int, n)}, n, pmi.NewLocal(1, nil))
	ctx, cancel := context.WithCancel(t.Context())
	list := make([]*Keeper, n)
	dir := t.TempDir()
	var all, opened sync.WaitGroup
	for i := range n {
		ours, theirs := pair(t)
		all.Go(func() { _, _ = server.Serve(ctx, i, ours); ours.Close() })
		opened.Go(func() {
			defer theirs.Close()
			env := map[string]string{"PMI_FD": fmt.Sprint(dup(t, theirs)), "PMI_RANK": fmt.Sprint(i), "PMI_SIZE": fmt.Sprint(n)}
			rank, err := pmi.Dial(ctx, func(k string) string { return env[k] })
			if err != nil {
				t.Error(err)
				return
			}
			node := "one"
			if apart {
				node = fmt.Sprint(i)
			}
			list[i], err = Open(ctx, rank, Site{Node: node, Dir: dir, Environ: append(os.Environ(), fmt.Sprintf("EXECUTOR=%d", i))})
			if err != nil {
				t.Error(err)
			}
			if err := rank.Finalize(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	opened.Wait()
	t.Cleanup(func() {
		cancel()
		for _, k := range list {
			if k != nil {
				k.Close()
			}
		}
		all.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
	return list
}

// dup is a descriptor that whoever has it closes.
func dup(t *testing.T, f *os.File) int {
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Error(err)
	}
	return fd
}

// Law D2, on the own executor, on another of the machine, and over the network.
func TestAgent(t *testing.T) {
	for _, apart := range []bool{false, true} {
		if apart && len(addresses()) == 0 {
			t.Skip("this machine has no network")
		}
		list := keepers(t, 2, apart)
		at := func(in string, args ...string) (string, int, error) {
			var out, complaints strings.Builder
			s := Surroundings{In: strings.NewReader(in), Out: &out, Err: &complaints, Getenv: func(k string) string {
				return map[string]string{pathVariable: list[0].Path(), sizeVariable: "2"}[k]
			}}
			code, err := Agent(t.Context(), args, s)
			return out.String() + "|" + complaints.String(), code, err
		}
		for member := range 2 {
			host := hostPrefix + strconv.Itoa(member)
			got, code, err := at("some input", "-x", "-o", "A b", host, "cat; echo $EXECUTOR", ">&2;", "exit 7")
			if want := fmt.Sprintf("some input|%d\n", member); got != want || code != 7 || err != nil {
				t.Errorf("apart %v, %s: %q, %d, %v", apart, host, got, code, err)
			}
			if got, code, err := at("", host, "kill -9 $$"); code != 137 || err != nil {
				t.Errorf("killed: %q, %d, %v", got, code, err)
			}
			big := strings.Repeat("x", 3<<20)
			if got, _, err := at(big, host, "cat"); got != big+"|" || err != nil {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		}
		for _, bad := range []string{"executor-2", "executor-x", "elsewhere"} {
			if _, code, err := at("", bad, "true"); code == 0 || err == nil {
				t.Errorf("%s: %d, %v", bad, code, err)
			}
		}
	}
}

// When who asked is gone, so is the command.
func TestGone(t *testing.T) {
	list := keepers(t, 2, false)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	s := Surroundings{In: strings.NewReader(""), Out: in, Err: io.Discard, Getenv: func(string) string { return list[0].Path() }}
	done := make(chan error, 1)
	go func() {
		_, err := Agent(ctx, []string{"executor-1", "echo $$; exec sleep 1000"}, s)
		done <- err
	}()
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	for _, k := range list {
		k.Close() // waits for what runs
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

// Law D1, and garbage at the door.
func TestStranger(t *testing.T) {
	list := keepers(t, 2, true)
	if len(list[1].mine.Ports) == 0 {
		t.Skip("this machine has no network")
	}
	own, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger := &Keeper{Size: 2, own: own, mine: list[0].mine, cards: list[0].cards}
	conn, err := stranger.dial(t.Context(), 1)
	if err == nil { // a client learns of the refusal when it reads
		defer conn.Close()
		_ = (&writer{w: conn}).value(request, Command{Member: 1, Argv: []string{"true"}})
		_, _, err = read(conn)
	}
	if err == nil || !strings.Contains(err.Error(), "tls") {
		t.Errorf("a stranger: %v", err)
	}
	for _, garbage := range []string{"", "R", "R\xff\xff\xff\xff", "R\x00\x00\x00\x02{}", "I\x00\x00\x00\x00", "R\x00\x00\x00\x01x"} {
		conn, err := net.Dial("unix", list[0].Path())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, garbage)
		_ = conn.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if len(answer) > 0 && answer[0] != exit {
			t.Errorf("%q is answered by %q", garbage, answer)
		}
		conn.Close()
	}
}

func TestCard(t *testing.T) {
	c := card{Node: strings.Repeat("n", 32), Net: "net:[4026531840]", Path: strings.Repeat("p", 107), Print: make([]byte, 32)}
	for n := range 8 {
		c.Ports = append(c.Ports, fmt.Sprintf("255.255.255.%d:65535", 200+n))
	}
	if n := len(c.String()); n > pmi.MaxValue {
		t.Errorf("a card of %d bytes is no value of the key space", n)
	}
	if got, err := readCard(c.String()); err != nil || got.String() != c.String() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := readCard("%%"); err == nil {
		t.Error("garbage is a card")
	}
}

func TestPlan(t *testing.T) {
	p := plan{self: "/bin/capstan", executors: 2, ranks: 4, slots: 2, root: true, command: []string{"-np", "4", "./a"}, hosts: "/h"}
	argv, env := p.openMPI()
	want := "mpirun.openmpi --bind-to none --hostfile /h --leave-session-attached --mca plm rsh --mca plm_rsh_agent /bin/capstan mpi-agent --mca plm_rsh_no_tree_spawn 1 -np 4 ./a"
	if got := strings.Join(argv, " "); got != want || len(env) != 2 {
		t.Errorf("%s, %v", got, env)
	}
	if got := p.hostFile(); got != "executor-0 slots=2\nexecutor-1 slots=2\n" {
		t.Errorf("hosts %q", got)
	}
	p = plan{self: "/bin/capstan", executors: 2, ranks: 4, address: net.IPv4(172, 18, 0, 3), command: []string{"./a"}}
	argv, env = p.chapel()
	if got := strings.Join(argv, " "); got != "./a -nl 4" || !slices.Contains(env, "CHPL_RT_MASTERIP=172.18.0.3") || !slices.Contains(env, "CHPL_RT_WORKERIP=172.18.0.0") {
		t.Errorf("%s, %v", got, env)
	}
	p.loopback, p.command = true, []string{"./a", "-nl", "2"}
	if argv, env = p.chapel(); len(argv) != 3 || !slices.Contains(env, "CHPL_RT_MASTERIP=127.0.0.1") || !slices.Contains(env, "CHPL_RT_WORKERIP=127.0.0.0") {
		t.Errorf("%s, %v", argv, env)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, body, err := read(bytes.NewReader(b))
		if err == nil && (len(body) > maxFrame || kind != b[0]) {
			t.Errorf("%c, %d bytes", kind, len(body))
		}
	})
}
