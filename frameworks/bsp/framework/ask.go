package framework

import (
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// gangName is the one gang of a job.
const gangName = "main"

// ask is the gang a job wants.
func ask(job *core.Job, body *spec.Body) core.GangAsk {
	paths := inputs(body)
	a := core.GangAsk{
		Name:     gangName,
		Gang:     job.Spec.Gang,
		ReadOnly: input.Base(paths),
		Store:    grants(paths, body.Output.Path),
	}
	if a.Size == 0 {
		a.Size = 2
	}
	if a.CPU == 0 {
		a.CPU = 1000
	}
	if a.Memory == 0 {
		a.Memory = 512 << 20
	}
	a.Userland = len(body.Algorithm.Exec) > 0 && a.Image == ""
	shipped := body.Shipped()
	a.Program, a.Files = shipped.Program(), shipped.Files()
	return a
}

// inputs are the paths of all that is read.
func inputs(body *spec.Body) []string {
	paths := slices.Clone([]string(body.Input.Path))
	if g := body.Graph; g != nil && g.Vertices != nil {
		paths = append(paths, g.Vertices.Path...)
	}
	return paths
}

// grants are the prefixes of the store a job reads and writes beside its own.
func grants(paths []string, out string) []core.StoreGrant {
	var list []core.StoreGrant
	for _, p := range paths {
		if key, ok := strings.CutPrefix(p, "s3://"); ok {
			g := core.StoreGrant{Prefix: fixedPrefix(key)}
			if !slices.Contains(list, g) {
				list = append(list, g)
			}
		}
	}
	if key, ok := strings.CutPrefix(out, "s3://"); ok {
		list = append(list, core.StoreGrant{Prefix: strings.TrimRight(key, "/") + "/", Write: true})
	}
	return list
}

// fixedPrefix is "bucket/key" up to the folder in which a pattern begins. A
// bucket alone keeps its slash.
func fixedPrefix(key string) string {
	if at := strings.IndexAny(key, "*?[{"); at >= 0 {
		key = key[:strings.LastIndexByte(key[:at], '/')+1]
	}
	if !strings.Contains(key, "/") {
		key += "/"
	}
	return key
}
