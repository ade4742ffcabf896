package framework

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// inFiles has processes that were shipped begin where they are.
func inFiles(t *topology.Topology, dir string) *topology.Topology {
	for i := range t.Components {
		c := &t.Components[i]
		if len(c.Exec) > 0 {
			c.Exec = slices.Clone(c.Exec)
			c.Exec[0] = artifact.In(dir, c.Exec[0])
		}
	}
	return t
}

// environ is the environment of processes, but for what their component adds.
func environ(env *core.Env) []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + env.Scratch, "TMPDIR=" + env.Scratch, "LANG=C.UTF-8"}
}
