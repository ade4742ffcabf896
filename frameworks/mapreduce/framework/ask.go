package framework

import (
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

// gangName is the one gang of a job.
const gangName = "main"

// ask is the gang a job wants.
func ask(job *core.Job, body *spec.Body) core.GangAsk {
	a := core.GangAsk{
		Name:     gangName,
		Gang:     job.Spec.Gang,
		ReadOnly: input.Base(body.Input.Path),
		Store:    grants(body),
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
	for _, s := range body.Steps() {
		if len(s.Exec) > 0 && a.Image == "" {
			a.Userland = true
		}
	}
	shipped := body.Shipped()
	a.Program, a.Files = shipped.Program(), shipped.Files()
	return a
}

// grants are the prefixes of the store a job reads and writes beside its own.
func grants(body *spec.Body) []core.StoreGrant {
	var list []core.StoreGrant
	for _, p := range body.Input.Path {
		if key, ok := strings.CutPrefix(p, "s3://"); ok {
			g := core.StoreGrant{Prefix: fixedPrefix(key)}
			if !slices.Contains(list, g) {
				list = append(list, g)
			}
		}
	}
	if key, ok := strings.CutPrefix(body.Output.Path, "s3://"); ok {
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
