package flux

import (
	"fmt"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

const (
	shellSpout = "org.apache.storm.flux.wrappers.spouts.FluxShellSpout"
	shellBolt  = "org.apache.storm.flux.wrappers.bolts.FluxShellBolt"
	partialKey = "org.apache.storm.grouping.PartialKeyGrouping"
)

// standIn is the built-in that a class stands for.
type standIn struct {
	role topology.Role
	use  string
}

func counterpart(class string) (standIn, bool) {
	switch class {
	case "org.apache.storm.flux.wrappers.bolts.LogInfoBolt":
		return standIn{topology.Sink, "log"}, true
	case "org.apache.storm.testing.TestWordSpout":
		return standIn{topology.Source, "words"}, true
	case "org.apache.storm.testing.TestWordCounter":
		return standIn{topology.Operator, "count"}, true
	}
	return standIn{}, false
}

// valueOf is what an object of a class is as a plain value.
func valueOf(class string, constructor []any) (any, bool) {
	switch class {
	case "org.apache.storm.tuple.Fields", "java.util.ArrayList", "java.util.LinkedList":
		if len(constructor) == 1 {
			if list, ok := constructor[0].([]any); ok {
				return list, true
			}
		}
		return constructor, true
	case "java.lang.String", "java.lang.Integer", "java.lang.Long", "java.lang.Double", "java.lang.Float", "java.lang.Boolean":
		if len(constructor) == 1 {
			return constructor[0], true
		}
	case "java.util.HashMap", "java.util.LinkedHashMap":
		return map[string]any{}, len(constructor) == 0
	}
	return nil, false
}

func noCounterpart(class string) string {
	return fmt.Sprintf("JVM class %s has no counterpart here", class)
}
