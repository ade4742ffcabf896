package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

// Scripts makes documents of scripts that say in their head what they need. It
// is wired in: this package knows no framework.
type Scripts struct {
	// Is reports whether a file is a script rather than a document.
	Is func(text []byte) bool
	// Flags are those that override what a script says.
	Flags []ScriptFlag
	// Document makes a document. A fault is an *core.Error with Diagnostics whose
	// lines are the script's.
	Document func(ScriptSubmission) (doc []byte, warnings []core.Diagnostic, err error)
	// Wrap makes a script of a command line.
	Wrap func(command string) []byte
}

// ScriptFlag describes a flag.
type ScriptFlag struct {
	Name, Short string
	Takes       bool   // a value
	Bare        string // the value of one that may be written without
	Usage       string
}

// ScriptSubmission is a script, and how it is submitted.
type ScriptSubmission struct {
	Source string
	Script []byte
	Args   []string
	Flags  [][2]string // name and value, in their order
	Dir    string      // absolute; where the submitter is
	Now    time.Time
	Env    func(string) (string, bool)
}

// script is what a command line says of the script it names.
type script struct {
	flags [][2]string
	args  []string
	wrap  string
	made  []byte // the document that was made of it
}

// takesScript makes c, whose one argument is a document, take a script in its
// place: with flags before it and its own arguments behind it.
func (a *app) takesScript(c *cobra.Command) *cobra.Command {
	if a.Scripts == nil {
		return c
	}
	f := c.Flags()
	for _, o := range a.Scripts.Flags {
		if f.Lookup(o.Name) != nil || o.Name == "output" { // see formatOrFile
			continue
		}
		short := o.Short
		if short != "" && (f.ShorthandLookup(short) != nil || strings.Contains("hoq", short)) {
			short = ""
		}
		flag := f.VarPF(&scriptFlag{a, o}, o.Name, short, "of a script: "+o.Usage)
		if flag.NoOptDefVal = o.Bare; !o.Takes {
			flag.NoOptDefVal = "true"
		}
	}
	f.StringVar(&a.script.wrap, "wrap", "", "a command line to submit in place of a script")
	f.SetInterspersed(false)
	c.Args = a.scriptArgs(c.Args)
	c.Annotations = map[string]string{"script": "yes"}
	return c
}

// scriptFlag keeps what was given in order.
type scriptFlag struct {
	app    *app
	option ScriptFlag
}

func (s *scriptFlag) Set(v string) error {
	if !s.option.Takes {
		v = ""
	}
	s.app.script.flags = append(s.app.script.flags, [2]string{s.option.Name, v})
	return nil
}

func (s *scriptFlag) String() string { return "" }

func (s *scriptFlag) Type() string {
	if s.option.Takes {
		return "string"
	}
	return "bool"
}

// scriptArgs gives a script the arguments behind it. Behind a document stand
// flags, as before it.
func (a *app) scriptArgs(rest cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case a.script.wrap != "" && len(args) > 0:
			return core.Errorf(core.Invalid, "both --wrap and %s are given", args[0]).Do("keep one of them")
		case a.script.wrap != "":
			return nil
		case len(args) < 2:
			return rest(cmd, args)
		case a.isScript(args[0]):
			a.script.args = args[1:]
			return nil
		}
		cmd.Flags().SetInterspersed(true)
		if err := cmd.ParseFlags(args[1:]); err != nil {
			return err
		}
		if help, _ := cmd.Flags().GetBool("help"); help {
			return pflag.ErrHelp
		}
		return rest(cmd, append(args[:1:1], cmd.Flags().Args()...))
	}
}

func (a *app) isScript(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	return a.Scripts.Is(head[:n])
}

// formatOrFile takes -o of a command that takes scripts for what it means there:
// a form of output, or, as sbatch's, a file of the script.
func (a *app) formatOrFile(c *cobra.Command) {
	if c.Annotations["script"] != "" && !slices.Contains(formats, a.output) {
		a.script.flags = append(a.script.flags, [2]string{"output", a.output})
		a.output = "table"
	}
}

// submission is the script that a command names, or wraps, as a document; doc
// and source are those of a document otherwise.
func (a *app) submission(doc []byte, source string) ([]byte, string, error) {
	s := &a.script
	switch {
	case a.Scripts == nil:
		return doc, source, nil
	case s.wrap != "":
		doc, source = a.Scripts.Wrap(s.wrap), "wrap"
	case !a.Scripts.Is(doc):
		if len(s.flags) > 0 {
			return nil, "", core.Errorf(core.Invalid, "--%s is a flag of scripts, and %s is a document", s.flags[0][0], source).
				Do("write it into the document")
		}
		return doc, source, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, "", err
	}
	made, warnings, err := a.Scripts.Document(ScriptSubmission{
		Source: source, Script: doc, Args: s.args, Flags: s.flags, Dir: dir, Now: time.Now(), Env: os.LookupEnv,
	})
	if err != nil {
		return nil, "", err
	}
	for _, w := range warnings {
		a.hint("%s %s", a.colour(yellow, "warning:"), w)
	}
	s.made = made
	// Its lines are not the script's, so it must not be taken for that file.
	return made, "the document made of " + filepath.Base(source), nil
}

// showMade prints the document that was made of a script, as people write them.
func (a *app) showMade() error {
	var n yaml.Node
	if err := yaml.Unmarshal(a.script.made, &n); err != nil {
		return err
	}
	plain(&n)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// plain takes JSON's style from a tree.
func plain(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	for _, c := range n.Content {
		plain(c)
	}
}
