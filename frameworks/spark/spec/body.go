// Package spec is the body of a Spark document: its form, its defaults and its
// faults.
//
// # Laws
//
//	S1  A body that Check finds no fault in can be run: what is missing then is
//	    missing in the distribution, and the job says so.
//	S2  What Capstan decides (master, addresses, cores, memory of executors, event
//	    log) conf may not name, but for the memory.
package spec

import (
	"path"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Body is `spec:` of a Spark document, with its defaults filled in by [Parse].
type Body struct {
	// App is a Python script or a jar: a local file, which is shipped, or an
	// absolute path in the executors.
	App   string   `json:"app"`
	Class string   `json:"class,omitempty"` // main class of a jar
	Args  []string `json:"args,omitempty"`
	// Spark is the distribution: an absolute path of an unpacked one, or of a
	// virtual environment into which PyPI's pyspark was installed. "" is what the
	// image has: $SPARK_HOME, or /opt/spark.
	Spark string `json:"spark,omitempty"`
	// Python runs Python code, in the driver and in executors. Default: that of
	// the virtual environment, else python3.
	Python string            `json:"python,omitempty"`
	Files  []string          `json:"files,omitempty"`   // shipped; in the application's working directory
	PyFile []string          `json:"pyFiles,omitempty"` // shipped; importable
	Jars   []string          `json:"jars,omitempty"`    // shipped; on the class path
	Conf   map[string]string `json:"conf,omitempty"`    // spark.* properties
	Env    map[string]string `json:"env,omitempty"`     // of the application
	// Data lists folders of the machine that executors see read-only.
	Data []string `json:"data,omitempty"`
	// DriverMemory is the heap of the application's own JVM. Default: what Heaps says of
	// the driver's executor.
	DriverMemory core.Bytes `json:"driverMemory,omitempty"`
	// EventLog is where the application's event log goes: "s3://bucket/prefix".
	EventLog string `json:"eventLog,omitempty"`
	// Results is where what the application leaves in $CAPSTAN_RESULTS goes.
	Results string `json:"results,omitempty"`
}

// IsJar reports whether the application is a jar.
func (b *Body) IsJar() bool { return strings.EqualFold(path.Ext(b.App), ".jar") }

// The roles of a gang of more than one.
const (
	Driver = "driver"
	Worker = "worker"
)

// Memory of the JVMs that are neither the driver's nor the executors': heap of
// Spark's master or worker, and what such a JVM takes beside its heap.
const (
	DaemonHeap     = 192 << 20
	daemonOverhead = 128 << 20
	Daemon         = DaemonHeap + daemonOverhead
	// MinHeap is the least that Spark starts a driver or an executor with:
	// 1.5 times what it reserves.
	MinHeap = 472 << 20
)

// Heaps are the heaps of the application and of Spark's executors on a gang whose
// executors have so much memory each. What is left is for what JVMs take beside
// their heaps and for Python. An executor's heap is bounded by the smallest worker.
func (b *Body) Heaps(driver, worker core.Bytes, alone bool) (app, executor core.Bytes) {
	app = b.DriverMemory
	if alone {
		left := driver - 2*Daemon // master and worker
		if app == 0 {
			app = left * 3 / 10
		}
		return app, (left - app*4/3) * 3 / 4
	}
	if app == 0 {
		app = (driver - Daemon) * 6 / 10
	}
	return app, (worker - Daemon) * 6 / 10
}
