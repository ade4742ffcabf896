package framework

import (
	"slices"

	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/bsp/exec"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
)

// command is the process that a rank runs: spec.algorithm.exec, with the files
// of the job in its directory.
func command(m work.Make) exec.Command {
	argv := slices.Clone(m.Body.Algorithm.Exec)
	if a, ok := artifact.Parse(argv[0]); ok {
		argv[0] = "./" + a.Base
	}
	return exec.Command{Argv: argv, Files: m.Files, Env: m.Body.Env}
}
