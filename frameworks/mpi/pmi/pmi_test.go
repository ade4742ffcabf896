package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMapping(t *testing.T) {
	for _, c := range []struct {
		nodes []int
		want  string
	}{
		{nil, "(vector)"},
		{[]int{0}, "(vector,(0,1,1))"},
		{[]int{0, 0, 0, 0}, "(vector,(0,1,4))"},
		{[]int{0, 1, 2, 3}, "(vector,(0,4,1))"},
		{[]int{0, 0, 1, 1}, "(vector,(0,2,2))"},
		{[]int{0, 0, 1}, "(vector,(0,1,2),(1,1,1))"},
		{[]int{0, 1, 0, 1}, "(vector,(0,2,1),(0,2,1))"},
		{[]int{2, 2, 3, 3, 0}, "(vector,(2,2,2),(0,1,1))"},
	} {
		if got := Mapping(c.nodes); got != c.want {
			t.Errorf("%v: %s, want %s", c.nodes, got, c.want)
		}
	}
	var long []int
	for i := range 1000 {
		long = append(long, i%2*(i%7))
	}
	if got := Mapping(long); got != "" {
		t.Errorf("a mapping of %d bytes", len(got))
	}
}

// client is a rank's end.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// says sends a command and returns the answer.
func (c client) says(command string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.conn, command); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	return c.hears()
}

func (c client) hears() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

// world is ranks on servers, two on each.
type world struct {
	t       *testing.T
	clients []client
	endings []chan outcome
}

type outcome struct {
	Ending
	err error
}

func newWorld(t *testing.T, size int, spawn func(context.Context, Spawn) error) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	w := &world{t: t}
	fabric := NewLocal((size+1)/2, spawn)
	desc := World{Name: "kvs_7", Programs: make([]int, size), Mapping: "(vector,(0,1,4))"}
	var server *Server
	for rank := range size {
		if rank%2 == 0 {
			server = NewServer(desc, min(2, size-rank), fabric)
		}
		ours, theirs := net.Pipe()
		end, server := make(chan outcome, 1), server
		w.clients = append(w.clients, client{t, theirs, bufio.NewReader(theirs)})
		w.endings = append(w.endings, end)
		wg.Go(func() {
			e, err := server.Serve(ctx, rank, ours)
			ours.Close()
			end <- outcome{e, err}
		})
	}
	t.Cleanup(func() {
		cancel()
		for _, c := range w.clients {
			c.conn.Close()
		}
		wg.Wait()
	})
	return w
}

func (w *world) want(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got %q, want %q", got, want)
	}
}

// each runs f for every rank at once.
func (w *world) each(f func(rank int, c client)) {
	var wg sync.WaitGroup
	for rank, c := range w.clients {
		wg.Go(func() { f(rank, c) })
	}
	wg.Wait()
}

func TestConversation(t *testing.T) {
	w := newWorld(t, 3, nil)
	c := w.clients[2]
	w.want(c.says("cmd=init pmi_version=1 pmi_subversion=1"), "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0")
	w.want(c.says("cmd=get_maxes"), "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024")
	w.want(c.says("cmd=get_appnum"), "cmd=appnum appnum=0")
	w.want(c.says("cmd=get_my_kvsname"), "cmd=my_kvsname kvsname=kvs_7")
	w.want(c.says("cmd=get_universe_size"), "cmd=universe_size size=3")
	w.want(c.says("cmd=get kvsname=kvs_7 key=PMI_process_mapping"), "cmd=get_result rc=0 msg=success value=(vector,(0,1,4))")
	w.want(c.says("cmd=get kvsname=kvs_7 key=none"), "cmd=get_result rc=-1 msg=key_none_not_found value=unknown")
	w.want(c.says("cmd=put kvsname=kvs_7 key=a value=1=2"), "cmd=put_result rc=0 msg=success")
	w.want(c.says("cmd=put kvsname=kvs_7 key=a value=3"), "cmd=put_result rc=-1 msg=duplicate_key_a")
	w.want(c.says("cmd=finalize"), "cmd=finalize_ack rc=0")
	if e := <-w.endings[2]; e.err != nil || !e.Finalized || !e.Started {
		t.Errorf("ended with %+v", e)
	}
}

func TestInitack(t *testing.T) {
	w := newWorld(t, 2, nil)
	c := w.clients[1]
	w.want(c.says("cmd=initack pmiid=1"), "cmd=initack rc=0")
	for _, want := range []string{"cmd=set size=2", "cmd=set rank=1", "cmd=set debug=0"} {
		w.want(c.hears(), want)
	}
}

// Law P1, over several barriers and servers.
func TestBarrier(t *testing.T) {
	const size = 7
	w := newWorld(t, size, nil)
	w.each(func(rank int, c client) {
		for round := range 3 {
			w.want(c.says(fmt.Sprintf("cmd=put kvsname=kvs_7 key=r%d.%d value=v%d", rank, round, rank*round)), "cmd=put_result rc=0 msg=success")
			w.want(c.says("cmd=barrier_in"), "cmd=barrier_out rc=0")
			for other := range size {
				w.want(c.says(fmt.Sprintf("cmd=get kvsname=kvs_7 key=r%d.%d", other, round)),
					fmt.Sprintf("cmd=get_result rc=0 msg=success value=v%d", other*round))
			}
		}
	})
}

// Law P2: nobody comes out before the last is in.
func TestBarrierWaits(t *testing.T) {
	w := newWorld(t, 4, nil)
	out := make(chan int, 4)
	var wg sync.WaitGroup
	for _, rank := range []int{0, 1, 3} {
		wg.Go(func() {
			w.want(w.clients[rank].says("cmd=barrier_in"), "cmd=barrier_out rc=0")
			out <- rank
		})
	}
	// Whatever the last says before it is in, the others are held.
	for range 100 {
		w.clients[2].says("cmd=get_appnum")
	}
	if len(out) > 0 {
		t.Errorf("rank %d came out alone", <-out)
	}
	w.want(w.clients[2].says("cmd=barrier_in"), "cmd=barrier_out rc=0")
	wg.Wait()
}

func TestNames(t *testing.T) {
	w := newWorld(t, 3, nil)
	a, b := w.clients[0], w.clients[2]
	w.want(b.says("cmd=lookup_name service=ocean"), "cmd=lookup_result rc=-1 info=service_not_found")
	w.want(a.says("cmd=publish_name service=ocean port=tag#0$port"), "cmd=publish_result rc=0 info=ok")
	w.want(b.says("cmd=publish_name service=ocean port=x"), "cmd=publish_result rc=-1 info=duplicate_service")
	w.want(b.says("cmd=lookup_name service=ocean"), "cmd=lookup_result port=tag#0$port rc=0 info=ok")
	w.want(a.says("cmd=unpublish_name service=ocean"), "cmd=unpublish_result rc=0 info=ok")
	w.want(a.says("cmd=unpublish_name service=ocean"), "cmd=unpublish_result rc=-1 info=service_not_found")
}

func TestSpawn(t *testing.T) {
	var got Spawn
	w := newWorld(t, 1, func(_ context.Context, s Spawn) error {
		if got = s; s.Programs[0].Ranks == 9 {
			return errors.New("no room for 9")
		}
		return nil
	})
	c := w.clients[0]
	one := "mcmd=spawn\nnprocs=%d\nexecname=/app/a b\ntotspawns=2\nspawnssofar=%d\narg1=-x=1 2\nargcnt=1\npreput_num=1\npreput_key_0=PARENT\npreput_val_0=p\ninfo_num=1\ninfo_key_0=wdir\ninfo_val_0=/tmp\nendcmd"
	if _, err := fmt.Fprintf(c.conn, one+"\n", 2, 1); err != nil {
		t.Fatal(err)
	}
	w.want(c.says(fmt.Sprintf(one, 3, 2)), "cmd=spawn_result rc=0")
	want := `{[{2 [/app/a b -x=1 2] [{wdir /tmp}]} {3 [/app/a b -x=1 2] [{wdir /tmp}]}] [{PARENT p}]}`
	if s := fmt.Sprint(got); s != want {
		t.Errorf("spawned %s, want %s", s, want)
	}
	fmt.Fprintf(c.conn, one+"\n", 9, 1)
	w.want(c.says(fmt.Sprintf(one, 3, 2)), "cmd=spawn_result rc=-1 status=no_room_for_9")
}

// Law P3.
func TestLost(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.clients[0].says("cmd=init pmi_version=1 pmi_subversion=1")
	w.clients[0].conn.Close()
	if e := <-w.endings[0]; e.err != nil || e.Finalized || e.Aborted || !e.Started {
		t.Errorf("ended with %+v", e)
	}
	fmt.Fprintln(w.clients[1].conn, "cmd=abort exitcode=17")
	if e := <-w.endings[1]; e.err != nil || !e.Aborted || e.Code != 17 {
		t.Errorf("ended with %+v", e)
	}
}

// Law P4: each fault names the rank and quotes what it said.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ say, want string }{
		{"cmd=dance", `"cmd=dance": the command is not known`},
		{"hello", `it said "hello": "hello" is no key=value`},
		{"key=x cmd=init", `a line without a command`},
		{"cmd=put kvsname=other key=a value=b", `the space "other" is not that of its world, kvs_7`},
		{"cmd=initack pmiid=5", "it is rank 0"},
		{strings.Repeat("x", maxLine+1), "a line of more than 4096 bytes"},
		{"mcmd=spawn\nnprocs=0\nendcmd", `nprocs="0" is no number from 1 to`},
		{"mcmd=spawn\nnonsense\nendcmd", `spawn: "nonsense" is no key=value`},
	} {
		w := newWorld(t, 1, nil)
		go fmt.Fprintln(w.clients[0].conn, c.say) // nobody may read it all
		e := <-w.endings[0]
		if e.err == nil || !strings.Contains(e.err.Error(), c.want) || !strings.Contains(e.err.Error(), "rank 0") {
			t.Errorf("%.40q: %v, want %q", c.say, e.err, c.want)
		}
	}
}

// A world that is given up lets go of everybody who waits.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	s := NewServer(World{Name: "k", Programs: make([]int, 4)}, 2, NewLocal(2, nil))
	var wg sync.WaitGroup
	for rank := range 2 {
		ours, theirs := net.Pipe()
		wg.Go(func() {
			defer ours.Close()
			if _, err := s.Serve(ctx, rank, ours); !errors.Is(err, context.Canceled) {
				t.Errorf("rank %d: %v", rank, err)
			}
		})
		fmt.Fprintln(theirs, "cmd=barrier_in")
		defer theirs.Close()
	}
	cancel()
	wg.Wait()
}

func FuzzServe(f *testing.F) {
	f.Add("cmd=init pmi_version=1\ncmd=put kvsname=k key=a value=b\ncmd=barrier_in\ncmd=get kvsname=k key=a\ncmd=finalize\n")
	f.Add("mcmd=spawn\nnprocs=1\nexecname=a\ntotspawns=1\nspawnssofar=1\nargcnt=0\npreput_num=0\ninfo_num=0\nendcmd\n")
	f.Fuzz(func(t *testing.T, said string) {
		s := NewServer(World{Name: "k", Programs: []int{0}}, 1, NewLocal(1, nil))
		var out strings.Builder
		e, err := s.Serve(t.Context(), 0, struct {
			*strings.Reader
			*strings.Builder
		}{strings.NewReader(said), &out})
		if err == nil && e.Finalized && !strings.HasSuffix(out.String(), "cmd=finalize_ack rc=0\n") {
			t.Errorf("finalized, but the last answer is %q", out.String())
		}
		for _, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if line != "" && !strings.HasPrefix(line, "cmd=") {
				t.Errorf("answer %q", line)
			}
		}
	})
}
