package pmi

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// spawn2 starts a world. All of it is in one frame: what is common comes first,
// then the programs, each from its "subcmd" on.
//
//	cmd=spawn;ncmds=1;preputcount=1;ppkey0=K;ppval0=V;
//	subcmd=/app/worker;maxprocs=2;argc=1;argv0=-v;infokeycount=1;infokey0=wdir;infoval0=/tmp;
func (r *conversation) spawn2(ctx context.Context, m message) ([]Pair, error) {
	all, err := readSpawn2(m)
	if err != nil {
		return nil, err
	}
	if err := r.server.fabric.Spawn(ctx, all); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return refused(strings.Join(strings.Fields(err.Error()), "_")), nil
	}
	return fine(Pair{"jobid", "spawned"}, Pair{"nerrs", "0"}), nil // no client asks that job anything
}

func readSpawn2(m message) (Spawn, error) {
	parts := []spawnFields{{fields: map[string]string{}}}
	for _, p := range m {
		if p.Key == "subcmd" {
			parts = append(parts, spawnFields{fields: map[string]string{}})
		}
		parts[len(parts)-1].fields[p.Key] = p.Value
	}
	common := &parts[0]
	var out Spawn
	for i := range common.number("preputcount", 0, maxLine) {
		out.Put = append(out.Put, Pair{common.fields[fmt.Sprintf("ppkey%d", i)], common.fields[fmt.Sprintf("ppval%d", i)]})
	}
	if n := common.number("ncmds", 1, maxLine); common.err == nil && n != len(parts)-1 {
		return Spawn{}, fmt.Errorf("spawn: ncmds=%d, and there are %d", n, len(parts)-1)
	}
	err := common.err
	for i := range parts[1:] {
		f := &parts[1+i]
		out.Programs = append(out.Programs, f.program2())
		err = errors.Join(err, f.err)
	}
	return out, err
}

// program2 is one program of a spawn.
func (f *spawnFields) program2() Program {
	p := Program{Ranks: f.number("maxprocs", 1, maxRanks), Argv: []string{f.fields["subcmd"]}}
	for i := range f.number("argc", 0, maxLine) {
		p.Argv = append(p.Argv, f.fields[fmt.Sprintf("argv%d", i)])
	}
	if _, has := f.fields["infokeycount"]; has {
		for i := range f.number("infokeycount", 0, maxLine) {
			p.Info = append(p.Info, Pair{f.fields[fmt.Sprintf("infokey%d", i)], f.fields[fmt.Sprintf("infoval%d", i)]})
		}
	}
	if p.Argv[0] == "" && f.err == nil {
		f.err = errors.New("spawn: subcmd is empty")
	}
	return p
}
