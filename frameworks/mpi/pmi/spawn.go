package pmi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxSpawn = 1 << 20 // bytes of all programs of a spawn
	maxRanks = 1 << 20
)

// takeSpawn reads one program of a spawn, after its first line; the last of them
// is answered.
//
//	nprocs=2 ↵ execname=/app/worker ↵ totspawns=1 ↵ spawnssofar=1 ↵ arg1=-v ↵
//	argcnt=1 ↵ preput_num=1 ↵ preput_key_0=K ↵ preput_val_0=V ↵ info_num=0 ↵ endcmd ↵
//
// Unlike those of other commands, values may hold blanks and "=".
func (r *conversation) takeSpawn(ctx context.Context) error {
	fields := map[string]string{}
	for size := 0; ; {
		line, err := readLine(r.in)
		if err != nil {
			return err
		}
		if line == "endcmd" {
			break
		}
		if size += len(line); size > maxSpawn {
			return fmt.Errorf("spawn has more than %d bytes", maxSpawn)
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("spawn: %.200q is no key=value", line)
		}
		fields[key] = value
	}
	more, err := r.gather(fields)
	if err != nil || more {
		return err
	}
	all := r.spawn
	r.spawn = Spawn{}
	if err := r.server.fabric.Spawn(ctx, all); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// The program decides what a spawn that came to nothing means.
		return r.reply(say("spawn_result", "rc", "-1", "status", strings.Join(strings.Fields(err.Error()), "_")))
	}
	return r.reply(say("spawn_result", "rc", "0"))
}

// gather adds a program to the spawn, and reports whether others follow.
func (r *conversation) gather(fields map[string]string) (more bool, err error) {
	f := spawnFields{fields, nil}
	p := Program{Ranks: f.number("nprocs", 1, maxRanks), Argv: []string{fields["execname"]}}
	for i := range f.number("argcnt", 0, maxLine) {
		p.Argv = append(p.Argv, fields[fmt.Sprintf("arg%d", i+1)])
	}
	p.Info = f.pairs("info")
	put := f.pairs("preput")
	done, total := f.number("spawnssofar", 1, maxLine), f.number("totspawns", 1, maxLine)
	switch {
	case f.err != nil:
		return false, f.err
	case p.Argv[0] == "":
		return false, errors.New("spawn: execname is missing")
	case done != len(r.spawn.Programs)+1 || done > total:
		return false, fmt.Errorf("spawn: program %d of %d comes after %d", done, total, len(r.spawn.Programs))
	}
	r.spawn.Programs = append(r.spawn.Programs, p)
	r.spawn.Put = put // each program carries the same
	return done < total, nil
}

// spawnFields reads the fields of a spawn and keeps the first fault.
type spawnFields struct {
	fields map[string]string
	err    error
}

func (f *spawnFields) number(key string, least, most int) int {
	n, err := strconv.Atoi(f.fields[key])
	if f.err == nil && (err != nil || n < least || n > most) {
		f.err = fmt.Errorf("spawn: %s=%.40q is no number from %d to %d", key, f.fields[key], least, most)
	}
	if f.err != nil {
		return 0
	}
	return n
}

func (f *spawnFields) pairs(what string) []Pair {
	var out []Pair
	for i := range f.number(what+"_num", 0, maxLine) {
		out = append(out, Pair{f.fields[fmt.Sprintf("%s_key_%d", what, i)], f.fields[fmt.Sprintf("%s_val_%d", what, i)]})
	}
	return out
}
