package pmi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// takeFrame carries out one command of version 2. The answer's name is the
// command's with "-response", and it names the thread that asked.
func (r *conversation) takeFrame(ctx context.Context, body string) error {
	m, err := parseFrame(body)
	if err != nil {
		return fmt.Errorf("it said %.200q: %w", body, err)
	}
	if m.name() == "abort" {
		r.Aborted, r.over, r.Code = true, true, 1 // version 2 has no code to say
		return nil
	}
	pairs, err := r.answer2(ctx, m)
	if err != nil {
		return fmt.Errorf("%.200q: %w", body, err)
	}
	answer := say(m.name() + "-response")
	if thread := m.get("thrid"); thread != "" {
		answer = append(answer, Pair{"thrid", thread})
	}
	_, err = r.out.Write(append(answer, pairs...).frame())
	return err
}

// answer2 is what follows the name of the answer to a command.
func (r *conversation) answer2(ctx context.Context, m message) ([]Pair, error) {
	s := r.server
	switch m.name() {
	case "fullinit":
		return r.fullInit(m)
	case "job-getid":
		return fine(Pair{"jobid", s.world.Name}), nil
	case "job-connect", "job-disconnect":
		return refused("worlds_are_joined_by_their_ports"), nil
	case "info-getjobattr":
		return found(s.attribute(m.get("key"))), nil
	case "info-putnodeattr":
		return fine(), s.putNode(ctx, r.rank, m.get("key"), m.get("value"))
	case "info-getnodeattr":
		value, has, err := s.getNode(ctx, r.rank, m.get("key"), m.get("wait") == "TRUE")
		return found(value, has), err
	case "kvs-put":
		return r.put2(m), nil
	case "kvs-get":
		if id := m.get("jobid"); id != "" && id != s.world.Name {
			return found("", false), nil
		}
		return found(s.get(m.get("key"))), nil
	case "kvs-fence":
		return fine(), r.barrier(ctx)
	case "name-publish", "name-unpublish", "name-lookup":
		return r.named2(ctx, m)
	case "spawn":
		return r.spawn2(ctx, m)
	case "finalize":
		r.finalize()
		return fine(), nil
	}
	return nil, errors.New("the command is not known")
}

// fine is the end of an answer of success.
func fine(pairs ...Pair) []Pair { return append(pairs, Pair{"rc", "0"}) }

// refused is an answer of failure, which the program may live with.
func refused(why string) []Pair { return []Pair{{"rc", "1"}, {"errmsg", why}} }

// found is an answer of a value, if there is one.
func found(value string, has bool) []Pair {
	if !has {
		return fine(Pair{"found", "FALSE"})
	}
	return fine(Pair{"found", "TRUE"}, Pair{"value", value})
}

// fullInit greets a rank, which may say who it is.
func (r *conversation) fullInit(m message) ([]Pair, error) {
	if id := m.get("pmirank"); id != "" && id != strconv.Itoa(r.rank) {
		return nil, fmt.Errorf("it is rank %d", r.rank)
	}
	w := &r.server.world
	pairs := []Pair{{"pmi-version", "2"}, {"pmi-subversion", "0"}, {"rank", strconv.Itoa(r.rank)},
		{"size", strconv.Itoa(len(w.Programs))}, {"appnum", strconv.Itoa(w.Programs[r.rank])}}
	if w.Parent != "" {
		pairs = append(pairs, Pair{"spawner-jobid", w.Parent})
	}
	return fine(append(pairs, Pair{"debugged", "FALSE"}, Pair{"pmiverbose", "FALSE"})...), nil
}

// attribute is what is known of the world under a name; what ranks have put
// counts too.
func (s *Server) attribute(name string) (string, bool) {
	if name == "universeSize" {
		return strconv.Itoa(s.world.universe()), true
	}
	return s.get(name)
}

func (r *conversation) put2(m message) []Pair {
	p := Pair{m.get("key"), m.get("value")}
	switch {
	case p.Key == "" || len(p.Key) > MaxKey || len(p.Value) > MaxValue:
		return refused("key_or_value_too_long")
	case !r.server.put(p):
		return refused("duplicate_key_" + p.Key)
	}
	return fine()
}

// named2 makes a port known under a name, or no longer, or finds it.
func (r *conversation) named2(ctx context.Context, m message) ([]Pair, error) {
	f, name := r.server.fabric, m.get("name")
	var out []Pair
	var err error
	switch m.name() {
	case "name-publish":
		err = f.Publish(ctx, name, m.get("port"))
	case "name-unpublish":
		err = f.Unpublish(ctx, name)
	default:
		var port string
		port, err = f.Lookup(ctx, name)
		out = []Pair{{"port", port}}
	}
	switch {
	case err == nil:
		return fine(out...), nil
	case errors.Is(err, ErrUnknownName):
		return refused("service_not_found"), nil
	case errors.Is(err, ErrKnownName):
		return refused("duplicate_service"), nil
	}
	return nil, err
}
