package pmi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// client2 is a rank's end that speaks version 2.
type client2 struct{ client }

// asks sends a command and returns the answer's pairs, "cmd=…" first.
func (c client2) asks(pairs ...string) string {
	c.t.Helper()
	c.tells(pairs...)
	return c.hears()
}

func (c client2) tells(pairs ...string) {
	c.t.Helper()
	var m message
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		m = append(m, Pair{key, value})
	}
	if _, err := c.conn.Write(m.frame()); err != nil {
		c.t.Fatalf("%s: %v", pairs, err)
	}
}

func (c client2) hears() string {
	c.t.Helper()
	body, err := readFrame(c.in)
	if err != nil {
		c.t.Fatal(err)
	}
	return body
}

// newWorld2 is a world whose ranks have agreed on version 2.
func newWorld2(t *testing.T, size int, spawn func(context.Context, Spawn) error) (*world, []client2) {
	t.Helper()
	w := newWorld(t, size, spawn)
	var list []client2
	for _, c := range w.clients {
		w.want(c.says("cmd=init pmi_version=2 pmi_subversion=0"), "cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=0")
		list = append(list, client2{c})
	}
	return w, list
}

func TestVersion2(t *testing.T) {
	w, ranks := newWorld2(t, 3, nil)
	c := ranks[2]
	w.want(c.asks("cmd=fullinit", "pmijobid=x", "pmirank=2", "threaded=FALSE"),
		"cmd=fullinit-response;pmi-version=2;pmi-subversion=0;rank=2;size=3;appnum=0;debugged=FALSE;pmiverbose=FALSE;rc=0;")
	w.want(c.asks("cmd=job-getid", "thrid=0x7f"), "cmd=job-getid-response;thrid=0x7f;jobid=kvs_7;rc=0;")
	w.want(c.asks("cmd=info-getjobattr", "key=PMI_process_mapping"), "cmd=info-getjobattr-response;found=TRUE;value=(vector,(0,1,4));rc=0;")
	w.want(c.asks("cmd=info-getjobattr", "key=universeSize"), "cmd=info-getjobattr-response;found=TRUE;value=3;rc=0;")
	w.want(c.asks("cmd=info-getjobattr", "key=none"), "cmd=info-getjobattr-response;found=FALSE;rc=0;")
	w.want(c.asks("cmd=kvs-put", "key=a", "value=1;2 = 3"), "cmd=kvs-put-response;rc=0;")
	w.want(c.asks("cmd=kvs-put", "key=a", "value=2"), "cmd=kvs-put-response;rc=1;errmsg=duplicate_key_a;")
	w.want(c.asks("cmd=kvs-put", "key=b", "value="+strings.Repeat("v", MaxValue+1)), "cmd=kvs-put-response;rc=1;errmsg=key_or_value_too_long;")
	w.want(c.asks("cmd=kvs-get", "jobid=other", "srcid=-1", "key=a"), "cmd=kvs-get-response;found=FALSE;rc=0;")
	w.want(c.asks("cmd=job-connect", "jobid=other"), "cmd=job-connect-response;rc=1;errmsg=worlds_are_joined_by_their_ports;")
	w.want(c.asks("cmd=finalize"), "cmd=finalize-response;rc=0;")
	if e := <-w.endings[2]; e.err != nil || !e.Finalized || !e.Started {
		t.Errorf("ended with %+v", e)
	}
	ranks[0].tells("cmd=abort", "isworld=TRUE", "msg=no;more")
	if e := <-w.endings[0]; e.err != nil || !e.Aborted || e.Code != 1 {
		t.Errorf("ended with %+v", e)
	}
}

// Laws P1 and P2, with a rank of version 1 in the same world: what it cannot be
// told in a line, it is not told.
func TestFenceOfVersions(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.each(func(rank int, c client) {
		if rank == 0 {
			c.says("cmd=init pmi_version=1 pmi_subversion=1")
			c.says("cmd=put kvsname=kvs_7 key=k0 value=v0")
			w.want(c.says("cmd=barrier_in"), "cmd=barrier_out rc=0")
			w.want(c.says("cmd=get kvsname=kvs_7 key=k1"), "cmd=get_result rc=-1 msg=key_k1_not_found value=unknown")
			return
		}
		c.says("cmd=init pmi_version=2 pmi_subversion=0")
		c2 := client2{c}
		c2.asks("cmd=kvs-put", fmt.Sprintf("key=k%d", rank), "value=two words;")
		w.want(c2.asks("cmd=kvs-fence"), "cmd=kvs-fence-response;rc=0;")
		w.want(c2.asks("cmd=kvs-get", "jobid=kvs_7", "srcid=-1", "key=k0"), "cmd=kvs-get-response;found=TRUE;value=v0;rc=0;")
		w.want(c2.asks("cmd=kvs-get", "jobid=kvs_7", "srcid=-1", "key=k1"), "cmd=kvs-get-response;found=TRUE;value=two words;;;rc=0;")
	})
}

// What a rank tells its node reaches whoever waits for it, on this server and on
// another.
func TestNode(t *testing.T) {
	w, ranks := newWorld2(t, 4, nil)
	w.want(ranks[0].asks("cmd=info-getnodeattr", "key=shm", "wait=FALSE"), "cmd=info-getnodeattr-response;found=FALSE;rc=0;")
	for _, r := range ranks[1:] {
		r.tells("cmd=info-getnodeattr", "key=shm", "wait=TRUE")
	}
	w.want(ranks[0].asks("cmd=info-putnodeattr", "key=shm", "value=/dev/shm/x"), "cmd=info-putnodeattr-response;rc=0;")
	for _, r := range ranks[1:] {
		w.want(r.hears(), "cmd=info-getnodeattr-response;found=TRUE;value=/dev/shm/x;rc=0;")
	}
}

func TestNames2(t *testing.T) {
	w, ranks := newWorld2(t, 3, nil)
	w.want(ranks[0].asks("cmd=name-lookup", "name=s", "infokeycount=0"), "cmd=name-lookup-response;rc=1;errmsg=service_not_found;")
	w.want(ranks[0].asks("cmd=name-publish", "name=s", "port=tag#0$x;", "infokeycount=0"), "cmd=name-publish-response;rc=0;")
	w.want(ranks[2].asks("cmd=name-publish", "name=s", "port=other"), "cmd=name-publish-response;rc=1;errmsg=duplicate_service;")
	w.want(ranks[2].asks("cmd=name-lookup", "name=s"), "cmd=name-lookup-response;port=tag#0$x;;;rc=0;")
	w.want(ranks[2].asks("cmd=name-unpublish", "name=s"), "cmd=name-unpublish-response;rc=0;")
	w.want(ranks[0].asks("cmd=name-unpublish", "name=s"), "cmd=name-unpublish-response;rc=1;errmsg=service_not_found;")
}

func TestSpawn2(t *testing.T) {
	var got Spawn
	w, ranks := newWorld2(t, 1, func(_ context.Context, s Spawn) error {
		got = s
		if s.Programs[0].Ranks > 3 {
			return fmt.Errorf("no room for %d", s.Programs[0].Ranks)
		}
		return nil
	})
	one := []string{"subcmd=/app/a b", "maxprocs=2", "argc=2", "argv0=-x=1;", "argv1=2", "infokeycount=1", "infokey0=wdir", "infoval0=/tmp"}
	begin := []string{"cmd=spawn", "ncmds=2", "preputcount=1", "ppkey0=PARENT", "ppval0=p q"}
	w.want(ranks[0].asks(slices.Concat(begin, one, []string{"subcmd=c", "maxprocs=1", "argc=0"})...), "cmd=spawn-response;jobid=spawned;nerrs=0;rc=0;")
	want := `{[{2 [/app/a b -x=1; 2] [{wdir /tmp}]} {1 [c] []}] [{PARENT p q}]}`
	if s := fmt.Sprint(got); s != want {
		t.Errorf("spawned %s, want %s", s, want)
	}
	w.want(ranks[0].asks("cmd=spawn", "ncmds=1", "preputcount=0", "subcmd=c", "maxprocs=9", "argc=0"), "cmd=spawn-response;rc=1;errmsg=no_room_for_9;")
}

// Law P4 of version 2.
func TestFaults2(t *testing.T) {
	frame := func(s string) string { return fmt.Sprintf("%-6d%s", len(s), s) }
	for _, c := range []struct{ say, want string }{
		{frame("cmd=dance;"), `"cmd=dance;": the command is not known`},
		{frame("hello;"), `it said "hello;": "hello;" is no key=value;`},
		{frame("key=x;cmd=init;"), "a frame without a command"},
		{frame("cmd=kvs-put;key=a"), `the value "a" does not end with ;`},
		{frame("cmd=fullinit;pmirank=5;"), "it is rank 0"},
		{"999999", "is no length of a frame"},
		{"-1    ", "is no length of a frame"},
		{"abcdef", "is no length of a frame"},
		{frame("cmd=spawn;ncmds=2;preputcount=0;subcmd=a;maxprocs=1;argc=0;"), "spawn: ncmds=2, and there are 1"},
		{frame("cmd=spawn;ncmds=1;preputcount=0;subcmd=a;maxprocs=0;argc=0;"), `maxprocs="0" is no number from 1 to`},
		{frame("cmd=spawn;ncmds=1;preputcount=0;subcmd=;maxprocs=1;argc=0;"), "subcmd is empty"},
	} {
		w, ranks := newWorld2(t, 1, nil)
		go io.WriteString(ranks[0].conn, c.say) // nobody may read it all
		e := <-w.endings[0]
		if e.err == nil || !strings.Contains(e.err.Error(), c.want) || !strings.Contains(e.err.Error(), "rank 0") {
			t.Errorf("%.40q: %v, want %q", c.say, e.err, c.want)
		}
	}
}

func TestNodesOf(t *testing.T) {
	for _, nodes := range [][]int{{0}, {0, 0, 0, 0}, {0, 1, 2, 3}, {0, 0, 1}, {0, 1, 0, 1}, {2, 2, 3, 3, 0}} {
		if got := nodesOf(Mapping(nodes), len(nodes)); !slices.Equal(got, nodes) {
			t.Errorf("%s: %v, want %v", Mapping(nodes), got, nodes)
		}
	}
	for _, bad := range []string{"", "(vector)", "(vector,(0,1,1))", "(vector,(0,x,1))", "(vector,(0,-1,1))", "(vector,(0,2,0))"} {
		if got := nodesOf(bad, 2); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// What is framed is parsed as it was.
func FuzzFrame(f *testing.F) {
	f.Add("key", "value;with;;these", "cmd=x;")
	f.Fuzz(func(t *testing.T, key, value, garbage string) {
		_, _ = parseFrame(garbage)
		m := message{{"cmd", "x"}, {strings.ReplaceAll(key, "=", ""), value}}
		body, err := readFrame(bufio.NewReader(strings.NewReader(string(m.frame()))))
		if err != nil {
			if len(m.frame()) > maxFrame {
				return
			}
			t.Fatal(err)
		}
		got, err := parseFrame(body)
		if err != nil || !slices.Equal(got, m) {
			t.Errorf("%q, %v, want %q", got, err, m)
		}
	})
}
