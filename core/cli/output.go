package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// print writes v in the format asked for; names are its name, or those of its
// elements, and table makes its form for people.
func (a *app) print(v any, names []string, table func(w io.Writer)) error {
	switch a.output {
	case "json", "yaml":
		return a.write(a.out, v)
	case "name":
		for _, n := range names {
			if _, err := fmt.Fprintln(a.out, n); err != nil {
				return err
			}
		}
		return nil
	}
	tw := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	table(tw)
	return tw.Flush()
}

// write writes v as the document -o asks for.
func (a *app) write(w io.Writer, v any) error {
	if a.output != "yaml" {
		return printJSON(w, v)
	}
	b, err := toYAML(v)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// item writes one of a stream's elements in the format asked for: a line of
// JSON, a document of YAML, its name, or line.
func (a *app) item(v any, name, line string) error {
	var err error
	switch a.output {
	case "json":
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	case "yaml":
		b, failed := toYAML(v)
		if failed != nil {
			return failed
		}
		_, err = fmt.Fprintf(a.out, "---\n%s", b)
	case "name":
		_, err = fmt.Fprintln(a.out, name)
	default:
		_, err = fmt.Fprintln(a.out, line)
	}
	return err
}

// toYAML writes what the JSON form of v is, as YAML.
func toYAML(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		return nil, err
	}
	block(&node)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// block turns JSON's flow style into YAML's block style.
func block(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && !strings.Contains(n.Value, "\n") {
		n.Style = 0
	}
	for _, c := range n.Content {
		block(c)
	}
}

// size writes bytes for people: "89.3 MB".
func size(n int64) string {
	f := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB", "TB"} {
		if f < 1000 {
			if u == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", f, u)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f PB", f)
}

// count writes a number with thin groups: "1,234,567".
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// several writes a number of things: "1 row", "2,000 rows".
func several(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// failures is what failed in a stage.
func failures(s core.Stage) string {
	switch {
	case s.Name == "elements": // of an array: some were never tried
		return fmt.Sprintf("%d failed", s.Failed)
	case s.Failed == 1:
		return "1 failed try"
	}
	return fmt.Sprintf("%d failed tries", s.Failed)
}

// span writes a time for people: "1.2s", "3m12s".
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return span(time.Since(t)) + " ago"
}
