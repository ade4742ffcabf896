package flux

import (
	"encoding/json"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
)

// included is a file that another one includes, as it was read.
type included struct {
	name string
	text []byte
}

// place tells the parts of a document where they stand.
func (d *document) place(prefix string) {
	for i := range d.Components {
		d.Components[i].at = fmt.Sprintf("%scomponents.%d", prefix, i)
	}
	for i := range d.Spouts {
		d.Spouts[i].at = fmt.Sprintf("%sspouts.%d", prefix, i)
	}
	for i := range d.Bolts {
		d.Bolts[i].at = fmt.Sprintf("%sbolts.%d", prefix, i)
	}
	for i := range d.Streams {
		d.Streams[i].at = fmt.Sprintf("%sstreams.%d", prefix, i)
	}
}

// include merges into d what it includes.
func (r *reader) include(d *document) {
	var above []vertex
	for i, inc := range d.Includes {
		at := fmt.Sprintf("includes.%d.file", i)
		other := r.open(at, inc.File)
		if other == nil {
			continue
		}
		if len(other.Includes) > 0 {
			r.fault(at, inc.File+" includes files itself, and only the topology's own file may", "include them from there")
		}
		d.Config = mergeConfig(d.Config, other.Config, inc.Override)
		above = append(above, other.Components...)
		d.Spouts = r.merge(d.Spouts, other.Spouts, inc)
		d.Bolts = r.merge(d.Bolts, other.Bolts, inc)
		d.Streams = append(d.Streams, other.Streams...)
	}
	d.Components = append(above, d.Components...) // law F3
}

// open reads an included file; nil if it cannot be used, which is told.
func (r *reader) open(at, file string) *document {
	if r.options.Include == nil {
		r.fault(at, "files cannot be included here", "put what "+file+" says into the file itself")
		return nil
	}
	doc, err := r.options.Include(file)
	if err != nil {
		r.fault(at, fmt.Sprintf("%s cannot be read: %v", file, err), "it is looked for beside the topology's file")
		return nil
	}
	text, warnings := substitute(doc, r.options)
	for _, w := range warnings {
		r.warnings = append(r.warnings, core.Diagnostic{Path: at, Message: file + " " + w.String(), Warning: true})
	}
	r.files[at] = included{file, text}
	b, err := spec.Conform(text, file, spec.Form{What: "the included lines", Schema: schema})
	if err != nil {
		for _, d := range core.AsError(err).Diagnostics {
			r.fault(at, file+" "+d.String(), "")
		}
		return nil
	}
	other := new(document)
	if err := json.Unmarshal(b, other); err != nil {
		r.fault(at, fmt.Sprintf("%s: %v", file, err), "")
		return nil
	}
	other.place(at + "!")
	return other
}

func mergeConfig(into, from map[string]any, override bool) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for k, v := range from {
		if _, there := into[k]; !there || override {
			into[k] = v
		}
	}
	return into
}

// merge adds vertices of an included file, which take the place of those of the
// same id if the file overrides.
func (r *reader) merge(into, from []vertex, inc include) []vertex {
	for _, v := range from {
		i := indexOf(into, v.ID)
		switch {
		case i < 0:
			into = append(into, v)
		case inc.Override:
			into[i] = v
		default:
			r.warnings = append(r.warnings, core.Diagnostic{Path: into[i].at, Warning: true,
				Message: fmt.Sprintf("%q stands here and in %s, which is ignored", v.ID, inc.File), Remedy: "include it with override: true"})
		}
	}
	return into
}

func indexOf(list []vertex, id string) int {
	for i, v := range list {
		if v.ID == id {
			return i
		}
	}
	return -1
}
