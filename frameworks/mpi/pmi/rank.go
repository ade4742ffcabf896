package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Ending is how a rank's conversation ended.
type Ending struct {
	Finalized bool // it said that it is done with MPI
	Started   bool // it said init: a program that never does is none of MPI's
	Aborted   bool // it wants the whole world ended, with Code
	Code      int
}

// Serve talks with a rank on conn until it has finalized or aborted, its stream
// ends, or ctx does: then conn has to be closed by the caller. An error is that
// the rank said something that makes no sense, or that the world is broken.
func (s *Server) Serve(ctx context.Context, rank int, conn io.ReadWriter) (Ending, error) {
	r := &conversation{server: s, rank: rank, in: bufio.NewReaderSize(conn, maxLine), out: conn}
	for !r.over {
		read, take := readLine, r.take
		if r.framed {
			read, take = readFrame, r.takeFrame
		}
		said, err := read(r.in)
		if err == io.EOF {
			return r.Ending, nil
		}
		if err == nil {
			err = take(ctx, said)
		}
		if err != nil {
			return r.Ending, r.fault(err)
		}
	}
	return r.Ending, nil
}

// conversation is one rank's.
type conversation struct {
	Ending
	server *Server
	rank   int
	in     *bufio.Reader
	out    io.Writer
	spawn  Spawn // gathered so far
	framed bool  // it speaks version 2 from now on
	over   bool
}

func (r *conversation) fault(err error) error {
	var known *core.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return &core.Error{Kind: core.Failed, What: fmt.Sprintf("rank %d's process management interface", r.rank), Err: err,
		Remedy: "use a program built with MPICH or a library of its ABI; others have a launcher of their own"}
}

// take carries out one command.
func (r *conversation) take(ctx context.Context, line string) error {
	if line == "mcmd=spawn" {
		return r.takeSpawn(ctx)
	}
	m, err := parse(line)
	if err != nil {
		return fmt.Errorf("it said %.200q: %w", line, err)
	}
	answer, err := r.answer(ctx, m)
	if err != nil {
		return fmt.Errorf("%.200q: %w", line, err)
	}
	if answer == nil {
		return nil
	}
	return r.reply(answer)
}

func (r *conversation) reply(m message) error {
	_, err := r.out.Write(m.line())
	return err
}

// answer is what the server says to a command; nil: nothing.
func (r *conversation) answer(ctx context.Context, m message) (message, error) {
	s := r.server
	switch m.name() {
	case "init":
		r.Started = true
		s.enter(r.rank, Running)
		return r.init(m), nil
	case "initack":
		return r.initack(m)
	case "get_maxes":
		return say("maxes", "kvsname_max", strconv.Itoa(MaxName), "keylen_max", strconv.Itoa(MaxKey), "vallen_max", strconv.Itoa(MaxValue)), nil
	case "get_appnum":
		return say("appnum", "appnum", strconv.Itoa(s.world.Programs[r.rank])), nil
	case "get_my_kvsname":
		return say("my_kvsname", "kvsname", s.world.Name), nil
	case "get_universe_size":
		return say("universe_size", "size", strconv.Itoa(s.world.universe())), nil
	case "put":
		return r.put(m)
	case "get":
		return r.get(m)
	case "barrier_in":
		return say("barrier_out", "rc", "0"), r.barrier(ctx)
	case "publish_name", "unpublish_name", "lookup_name":
		return r.named(ctx, m)
	case "finalize":
		r.finalize()
		return say("finalize_ack", "rc", "0"), nil
	case "abort":
		r.Aborted, r.over = true, true
		r.Code, _ = strconv.Atoi(m.get("exitcode"))
		return nil, nil
	}
	return nil, errors.New("the command is not known")
}

func (r *conversation) barrier(ctx context.Context) error {
	r.server.enter(r.rank, InBarrier)
	defer r.server.enter(r.rank, Running)
	return r.server.barrier(ctx, r.rank)
}

func (r *conversation) finalize() {
	r.Finalized, r.over = true, true
	r.server.enter(r.rank, Finalized)
}

func (w *World) universe() int {
	if w.Universe > 0 {
		return w.Universe
	}
	return len(w.Programs)
}

// init agrees on a version. What follows an agreement on version 2 is framed.
func (r *conversation) init(m message) message {
	switch m.get("pmi_version") {
	case "1":
		return say("response_to_init", "pmi_version", "1", "pmi_subversion", "1", "rc", "0")
	case "2":
		r.framed = true
		return say("response_to_init", "pmi_version", "2", "pmi_subversion", "0", "rc", "0")
	}
	return say("response_to_init", "pmi_version", "2", "pmi_subversion", "0", "rc", "-1")
}

// initack greets a rank that was told of a port instead of a descriptor.
func (r *conversation) initack(m message) (message, error) {
	if id := m.get("pmiid"); id != strconv.Itoa(r.rank) {
		return nil, fmt.Errorf("it is rank %d", r.rank)
	}
	for _, a := range []message{
		say("initack", "rc", "0"),
		say("set", "size", strconv.Itoa(len(r.server.world.Programs))),
		say("set", "rank", strconv.Itoa(r.rank)),
	} {
		if err := r.reply(a); err != nil {
			return nil, err
		}
	}
	return say("set", "debug", "0"), nil
}

// ours refuses a space that is not this world's.
func (r *conversation) ours(m message) error {
	if name := m.get("kvsname"); name != r.server.world.Name {
		return fmt.Errorf("the space %q is not that of its world, %s", name, r.server.world.Name)
	}
	return nil
}

func (r *conversation) put(m message) (message, error) {
	p := Pair{m.get("key"), m.get("value")}
	if err := r.ours(m); err != nil {
		return nil, err
	}
	switch {
	case p.Key == "" || len(p.Key) > MaxKey || len(p.Value) > MaxValue:
		return say("put_result", "rc", "-1", "msg", "key_or_value_too_long"), nil
	case !r.server.put(p):
		return say("put_result", "rc", "-1", "msg", "duplicate_key_"+p.Key), nil
	}
	return say("put_result", "rc", "0", "msg", "success"), nil
}

func (r *conversation) get(m message) (message, error) {
	if err := r.ours(m); err != nil {
		return nil, err
	}
	v, ok := r.server.get(m.get("key"))
	if !ok || strings.ContainsAny(v, " \t\n") { // a rank of version 2 may have put it
		return say("get_result", "rc", "-1", "msg", "key_"+m.get("key")+"_not_found", "value", "unknown"), nil
	}
	return say("get_result", "rc", "0", "msg", "success", "value", v), nil
}

// named makes a port known under a name, or no longer, or finds it.
func (r *conversation) named(ctx context.Context, m message) (message, error) {
	f, name := r.server.fabric, m.get("service")
	var answer message
	var err error
	switch m.name() {
	case "publish_name":
		answer, err = say("publish_result"), f.Publish(ctx, name, m.get("port"))
	case "unpublish_name":
		answer, err = say("unpublish_result"), f.Unpublish(ctx, name)
	default:
		var port string
		port, err = f.Lookup(ctx, name)
		answer = say("lookup_result", "port", port)
	}
	switch {
	case err == nil:
		return append(answer, Pair{"rc", "0"}, Pair{"info", "ok"}), nil
	case errors.Is(err, ErrUnknownName):
		return say(answer.name(), "rc", "-1", "info", "service_not_found"), nil
	case errors.Is(err, ErrKnownName):
		return say(answer.name(), "rc", "-1", "info", "duplicate_service"), nil
	}
	return nil, err
}
