package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
)

// ErrNoServer is that the environment names no server: the program was not
// started as a rank.
var ErrNoServer = errors.New("neither PMI_FD nor PMI_PORT is set")

// Client is a rank's side of the conversation, for programs that are no MPICH.
// It says one thing at a time: its methods are not safe for concurrent use.
type Client struct {
	Rank, Size int
	Space      string // the name of the world's space of keys

	conn net.Conn
	in   *bufio.Reader
}

// Dial finds the server that getenv's PMI_FD or PMI_PORT names, as MPICH's
// clients do, and greets it.
//
// Errors: [ErrNoServer]; what the server said that makes no sense; ctx's.
func Dial(ctx context.Context, getenv func(string) string) (*Client, error) {
	c, err := connect(ctx, getenv)
	if err != nil {
		return nil, err
	}
	c.in = bufio.NewReaderSize(c.conn, maxLine)
	if err := c.greet(ctx, getenv); err != nil {
		c.conn.Close()
		return nil, err
	}
	return c, nil
}

func connect(ctx context.Context, getenv func(string) string) (*Client, error) {
	c := new(Client)
	var err error
	switch {
	case getenv("PMI_FD") != "":
		c.conn, err = inherited(getenv("PMI_FD"))
	case getenv("PMI_PORT") != "":
		c.conn, err = new(net.Dialer).DialContext(ctx, "tcp", getenv("PMI_PORT"))
	default:
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, &core.Error{Kind: core.Failed, What: "reach the process manager", Err: err,
			Remedy: "start the program with mpiexec, or unset PMI_FD and PMI_PORT"}
	}
	return c, nil
}

// inherited is the connection that a descriptor of the parent is.
func inherited(number string) (net.Conn, error) {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 0 {
		return nil, fmt.Errorf("PMI_FD=%q is no descriptor", number)
	}
	f := os.NewFile(uintptr(fd), "pmi")
	defer f.Close() // FileConn has one of its own
	return net.FileConn(f)
}

// greet learns the rank, the size and the space.
func (c *Client) greet(ctx context.Context, getenv func(string) string) error {
	var err error
	if getenv("PMI_FD") == "" {
		err = c.identify(ctx, getenv("PMI_ID"))
	} else {
		c.Rank, c.Size, err = numbers(getenv("PMI_RANK"), getenv("PMI_SIZE"))
	}
	if err != nil {
		return err
	}
	if _, err := c.ask(ctx, "response_to_init", say("init", "pmi_version", "1", "pmi_subversion", "1")); err != nil {
		return err
	}
	m, err := c.ask(ctx, "my_kvsname", say("get_my_kvsname"))
	c.Space = m.get("kvsname")
	return err
}

// identify says which rank this is to a server that was dialed.
func (c *Client) identify(ctx context.Context, id string) error {
	if _, err := c.ask(ctx, "initack", say("initack", "pmiid", id)); err != nil {
		return err
	}
	told := map[string]string{}
	for range 3 {
		m, err := c.hear(ctx, "set")
		if err != nil {
			return err
		}
		for _, p := range m[1:] {
			told[p.Key] = p.Value
		}
	}
	var err error
	c.Rank, c.Size, err = numbers(told["rank"], told["size"])
	return err
}

func numbers(rank, size string) (int, int, error) {
	r, err1 := strconv.Atoi(rank)
	n, err2 := strconv.Atoi(size)
	if err1 != nil || err2 != nil || r < 0 || r >= n {
		return 0, 0, fmt.Errorf("the process manager says rank %q of %q", rank, size)
	}
	return r, n, nil
}

// Put gives the world a value under a key that nobody has used.
func (c *Client) Put(ctx context.Context, key, value string) error {
	_, err := c.ask(ctx, "put_result", say("put", "kvsname", c.Space, "key", key, "value", value))
	return err
}

// Get is the value that a rank put under a key before the last barrier; false
// if none did.
func (c *Client) Get(ctx context.Context, key string) (string, bool, error) {
	m, err := c.exchange(ctx, "get_result", say("get", "kvsname", c.Space, "key", key))
	if err != nil || m.get("rc") != "0" {
		return "", false, err
	}
	return m.get("value"), true, nil
}

// Barrier returns when every rank of the world is in it.
func (c *Client) Barrier(ctx context.Context) error {
	_, err := c.ask(ctx, "barrier_out", say("barrier_in"))
	return err
}

// Finalize says that this rank is done, and ends the conversation.
func (c *Client) Finalize(ctx context.Context) error {
	_, err := c.ask(ctx, "finalize_ack", say("finalize"))
	return errors.Join(err, c.conn.Close())
}

// Abort asks that the whole world be ended with an exit code, and ends the
// conversation.
func (c *Client) Abort(code int) error {
	_, err := c.conn.Write(say("abort", "exitcode", strconv.Itoa(code)).line())
	return errors.Join(err, c.conn.Close())
}

// ask is exchange, where the answer's rc, if it has one, must be 0.
func (c *Client) ask(ctx context.Context, want string, m message) (message, error) {
	a, err := c.exchange(ctx, want, m)
	if rc := a.get("rc"); err == nil && rc != "" && rc != "0" {
		err = c.fault(fmt.Errorf("it refused %q: %q", m.name(), a.line()))
	}
	return a, err
}

func (c *Client) exchange(ctx context.Context, want string, m message) (message, error) {
	if _, err := c.conn.Write(m.line()); err != nil {
		return nil, c.fault(err)
	}
	return c.hear(ctx, want)
}

// hear reads the next message, which must be want.
func (c *Client) hear(ctx context.Context, want string) (message, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := readLine(c.in)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, c.fault(err)
	}
	m, err := parse(line)
	if err == nil && m.name() != want {
		err = fmt.Errorf("it said %.200q where %s was due", line, want)
	}
	if err != nil {
		return nil, c.fault(err)
	}
	return m, nil
}

func (c *Client) fault(err error) error {
	return &core.Error{Kind: core.Failed, What: "talk with the process manager", Err: err,
		Remedy: "see its output for why it ended; its wire must be version 1 of PMI"}
}
