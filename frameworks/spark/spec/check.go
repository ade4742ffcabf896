package spec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Check finds every fault of a document that its schema lets pass.
func Check(s *core.Spec) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		return []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	c := checker{spec: s, body: b}
	c.app()
	c.paths()
	c.conf()
	c.roles()
	c.memory()
	c.found = append(c.found, b.Shipped().Clashes()...)
	return c.found
}

type checker struct {
	spec  *core.Spec
	body  *Body
	found []core.Diagnostic
}

func (c *checker) fault(path, remedy, format string, args ...any) {
	c.found = append(c.found, core.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (c *checker) app() {
	b := c.body
	ext := strings.ToLower(path.Ext(b.App))
	switch {
	case ext != ".py" && ext != ".jar":
		c.fault("spec.app", "name a .py script or a .jar", "%q is neither a Python script nor a jar", b.App)
	case b.IsJar() && len(b.PyFile) > 0:
		c.fault("spec.pyFiles", "leave them out", "a jar imports no Python")
	case !b.IsJar() && b.Class != "":
		c.fault("spec.class", "leave it out", "a script has no main class")
	}
	if !strings.Contains(b.App, "/") {
		c.fault("spec.app", "write ./"+b.App+" for a file beside the document", "%q is no path", b.App)
	}
}

func (c *checker) paths() {
	b := c.body
	for _, p := range []struct{ place, path string }{{"spec.spark", b.Spark}, {"spec.python", b.Python}} {
		if p.path != "" && !path.IsAbs(p.path) && (p.place != "spec.python" || strings.Contains(p.path, "/")) {
			c.fault(p.place, "name it from the root: /…", "%q is no absolute path", p.path)
		}
	}
	for i, p := range b.Data {
		if !path.IsAbs(p) || path.Clean(p) == "/" {
			c.fault(fmt.Sprintf("spec.data.%d", i), "name a folder from the root: /data/…", "%q is no folder that executors can see", p)
		}
	}
	for _, p := range []struct{ place, url string }{{"spec.results", b.Results}, {"spec.eventLog", b.EventLog}} {
		rest, ok := strings.CutPrefix(p.url, "s3://")
		if bucket, key, _ := strings.Cut(rest, "/"); p.url != "" && (!ok || bucket == "" || strings.Trim(key, "/") == "") {
			c.fault(p.place, "such as s3://results/"+c.spec.Metadata.Name, "%q does not name a bucket and a prefix", p.url)
		}
	}
}

// decided are the properties that are Capstan's (law S2), and whose place it is to
// say them.
var decided = map[string]string{
	"spark.master": "", "spark.submit.deployMode": "", "spark.driver.host": "", "spark.driver.bindAddress": "", "spark.driver.port": "",
	"spark.blockManager.port": "", "spark.driver.blockManager.port": "", "spark.ui.port": "", "spark.ui.enabled": "", "spark.local.dir": "",
	"spark.cores.max": "gang.cpu and gang.size", "spark.driver.memory": "spec.driverMemory",
	"spark.eventLog.enabled": "spec.eventLog", "spark.eventLog.dir": "spec.eventLog", "spark.pyspark.python": "spec.python",
	"spark.submit.pyFiles": "spec.pyFiles", "spark.jars": "spec.jars", "spark.files": "spec.files",
	"spark.dynamicAllocation.enabled": "gang.size", "spark.shuffle.service.enabled": "",
}

func (c *checker) conf() {
	for _, name := range slices.Sorted(maps.Keys(c.body.Conf)) {
		instead, ours := decided[name]
		switch {
		case ours && instead != "":
			c.fault("spec.conf", "set "+instead, "%s follows from %s", name, instead)
		case ours:
			c.fault("spec.conf", "leave it out", "%s is for the gang to say", name)
		case !strings.HasPrefix(name, "spark."):
			c.fault("spec.conf", "Spark ignores it; properties of the JVM go into spark.driver.extraJavaOptions", "%q is no property of Spark's", name)
		}
	}
}

// roles refuses gangs that are no driver with its workers.
func (c *checker) roles() {
	g := c.spec.Gang
	if g.Min > 0 && g.Min != g.Size || g.Max > 0 && g.Max != g.Size {
		c.fault("gang", "leave out min and max, and set size", "a Spark gang does not change its size")
	}
	if len(g.Roles) == 0 {
		return
	}
	if len(g.Roles) != 2 || g.Roles[0].Name != Driver || g.Roles[0].Size != 1 || g.Roles[1].Name != Worker {
		c.fault("gang.roles", "roles: [{name: driver, size: 1, …}, {name: worker, size: N, …}], or leave roles out and set size",
			"a Spark gang has one driver and its workers")
	}
}

func (c *checker) memory() {
	if len(c.found) > 0 {
		return
	}
	driver, worker, alone := Memory(&c.spec.Gang)
	app, executor := c.body.Heaps(driver, worker, alone)
	where := "gang.memory"
	if len(c.spec.Gang.Roles) > 0 {
		where = "gang.roles"
	}
	least := "2Gi for a gang of one, 1200Mi for each executor of a larger one"
	if app < MinHeap {
		c.fault(where, "give "+least, "the application would have a heap of %v of the driver's %v, and Spark wants %v", app, driver, core.Bytes(MinHeap))
	}
	if executor < MinHeap {
		c.fault(where, "give "+least+", or a smaller driverMemory", "Spark's executors would have a heap of %v, and Spark wants %v", executor, core.Bytes(MinHeap))
	}
	if app+Daemon > driver {
		c.fault("spec.driverMemory", "give the driver more, or make it smaller", "%v and Spark's master do not fit into %v", app, driver)
	}
}

// DefaultMemory is of an executor that the document says nothing of.
const DefaultMemory = 2 << 30

// Memory is what the driver's executor has, what each other has, and whether the
// gang is one executor alone.
func Memory(g *core.Gang) (driver, worker core.Bytes, alone bool) {
	each := g.Memory
	if each == 0 {
		each = DefaultMemory
	}
	driver, worker = each, each
	if len(g.Roles) == 2 {
		if m := g.Roles[0].Memory; m > 0 {
			driver = m
		}
		if m := g.Roles[1].Memory; m > 0 {
			worker = m
		}
	}
	return driver, worker, g.Size == 1
}
