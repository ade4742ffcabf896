package framework

import (
	"encoding/json"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// told is the path that a component is told of; "" if none.
func told(c topology.Component) string {
	var with struct{ Path string }
	if json.Unmarshal(c.With, &with) != nil {
		return ""
	}
	return with.Path
}
