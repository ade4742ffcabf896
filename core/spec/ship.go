package spec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

// Shipped is a local file that a document names and that goes with the job.
type Shipped struct {
	Path string // absolute, on this machine
	node *yaml.Node
}

// Draft is a document whose local files are still to be uploaded.
type Draft struct {
	root  yaml.Node
	Files []Shipped
}

// Ships finds the local files that doc names in the places its kind ships
// files from (core.Description.Ships). Relative names are taken from dir. Where
// a place does not insist on a file, a name with a slash that is no regular file
// is left alone: an executor may have it.
func Ships(doc []byte, kinds []core.Description, dir string) (*Draft, error) {
	d := new(Draft)
	if err := yaml.Unmarshal(doc, &d.root); err != nil || len(d.root.Content) == 0 {
		return d, nil // Parse tells what is wrong
	}
	top, in := d.root.Content[0], ""
	if IsSchedule(doc) {
		top, in = child(child(top, "spec"), "job"), "spec.job."
	}
	kind := child(top, "kind")
	body := child(top, "spec")
	if kind == nil || body == nil {
		return d, nil
	}
	for _, k := range kinds {
		if k.Kind != kind.Value {
			continue
		}
		for _, place := range k.Ships {
			place, must := strings.CutSuffix(place, "!")
			for _, n := range find(body, strings.Split(place, ".")) {
				if err := d.ship(n, dir, in+"spec."+place, must); err != nil {
					return nil, err
				}
			}
		}
	}
	return d, nil
}

func (d *Draft) ship(n *yaml.Node, dir, place string, must bool) error {
	if n.Kind != yaml.ScalarNode || !must && !strings.Contains(n.Value, "/") || strings.HasPrefix(n.Value, "artifact:") {
		return nil
	}
	path := n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	fi, err := os.Stat(path)
	if err != nil {
		if filepath.IsAbs(n.Value) && !must {
			return nil
		}
		return &core.Error{Kind: core.Invalid, What: fmt.Sprintf("%s is not there: %v", n.Value, err), Where: place,
			Remedy: "relative names are taken from the document's folder, " + dir}
	}
	switch {
	case fi.Mode().IsRegular():
		d.Files = append(d.Files, Shipped{Path: path, node: n})
	case must:
		return &core.Error{Kind: core.Invalid, What: n.Value + " is no file", Where: place, Remedy: "name the files one by one"}
	}
	return nil
}

// Doc is the document with every shipped file named by its hash: sums[i] is the
// SHA-256, in hex, of Files[i].
func (d *Draft) Doc(sums []string) ([]byte, error) {
	for i, f := range d.Files {
		f.node.SetString("artifact:" + sums[i] + "/" + filepath.Base(f.Path))
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := enc.Encode(&d.root); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// find lists the nodes at a dotted place under n.
func find(n *yaml.Node, place []string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if len(place) == 0 {
		return []*yaml.Node{n}
	}
	if n.Kind == yaml.SequenceNode {
		if place[0] == "*" {
			var out []*yaml.Node
			for _, c := range n.Content {
				out = append(out, find(c, place[1:])...)
			}
			return out
		}
		if i, err := strconv.Atoi(place[0]); err == nil && i < len(n.Content) {
			return find(n.Content[i], place[1:])
		}
		return nil
	}
	return find(child(n, place[0]), place[1:])
}
