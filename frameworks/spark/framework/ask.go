package framework

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
)

// gangName is the one gang of a job.
const gangName = "main"

// ask is the gang a job wants.
func ask(job *core.Job, body *spec.Body) core.GangAsk {
	a := core.GangAsk{Name: gangName, Gang: job.Spec.Gang, Files: body.Shipped().Files(), Userland: job.Spec.Gang.Image == "", Store: grants(body)}
	if a.Size == 0 {
		a.Size = 2
	}
	if a.CPU == 0 {
		a.CPU = 1000
	}
	if a.Memory == 0 {
		a.Memory = spec.DefaultMemory
	}
	if a.Size > 1 && len(a.Roles) == 0 {
		a.Roles = []core.Role{{Name: spec.Driver, Size: 1}, {Name: spec.Worker, Size: a.Size - 1}}
	}
	if a.Restart == "" {
		a.Restart = "member"
	}
	a.Network = true
	a.ReadOnly = readOnly(body)
	return a
}

// grants are the places of the store that the body names.
func grants(body *spec.Body) []core.StoreGrant {
	var list []core.StoreGrant
	for _, url := range []string{body.Results, body.EventLog} {
		if key, ok := strings.CutPrefix(url, "s3://"); ok {
			list = append(list, core.StoreGrant{Prefix: strings.TrimSuffix(key, "/") + "/", Write: true})
		}
	}
	return list
}

// readOnly are the folders of the machine that executors see: what the body
// names, and where the links of a virtual environment and of Java lead.
func readOnly(body *spec.Body) []string {
	list := slices.Clone(body.Data)
	add := func(path string) {
		if path != "" && !slices.ContainsFunc(list, func(have string) bool { return path == have || strings.HasPrefix(path, have+"/") }) {
			list = append(list, path)
		}
	}
	add(body.Spark)
	if python, err := filepath.EvalSymlinks(filepath.Join(body.Spark, "bin", "python")); err == nil && body.Spark != "" {
		add(outside(filepath.Dir(filepath.Dir(python))))
	}
	if java, err := exec.LookPath("java"); err == nil && body.Spark != "" {
		if java, err = filepath.EvalSymlinks(java); err == nil {
			home := filepath.Dir(filepath.Dir(java))
			add(outside(home))
			if conf, err := filepath.EvalSymlinks(filepath.Join(home, "conf", "security", "java.security")); err == nil {
				add(outside(filepath.Dir(filepath.Dir(conf))))
			}
		}
	}
	return list
}

// outside is path, unless executors see it already with the machine's /usr.
func outside(path string) string {
	if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
		return ""
	}
	for _, seen := range []string{"/usr", "/bin", "/lib"} {
		if path == seen || strings.HasPrefix(path, seen+"/") {
			return ""
		}
	}
	return path
}
