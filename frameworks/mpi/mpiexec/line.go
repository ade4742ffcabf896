package mpiexec

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Line is a command line.
type Line struct {
	Programs []Program
	Env      map[string]string // -genv
	Inherit  inherit           // -genvall and its kin
	PPN      int
	Label    bool
	Bind     string
	Settings map[string]string // of the document, by option: memory, queue, …
	Help     bool
	Version  bool

	options map[string]option
}

// Program is what stands between two colons.
type Program struct {
	Ranks   int
	Dir     string // -wdir
	Env     map[string]string
	Inherit *inherit // nil: the line's
	Argv    []string
}

// inherit is which variables of the typist's environment programs find.
type inherit struct {
	All  bool     // also what looks like a secret
	None bool     // no other than those named
	List []string // -envlist
}

// Parse reads a command line. Faults are *core.Error of kind Invalid.
func Parse(args []string) (*Line, error) {
	l := &Line{Env: map[string]string{}, Settings: map[string]string{}, options: table()}
	if err := l.parse(args); err != nil {
		return nil, err
	}
	if l.Help || l.Version {
		return l, nil
	}
	if len(l.Programs) == 0 {
		return nil, core.Errorf(core.Invalid, "no program").Do("mpiexec -n 4 ./program; `capstan mpiexec --help` lists the options")
	}
	return l, nil
}

// parse reads arguments whose programs are parted by colons.
func (l *Line) parse(args []string) error {
	for len(args) > 0 {
		end := slices.Index(args, ":")
		if end < 0 {
			end = len(args)
		}
		if err := l.program(args[:end]); err != nil {
			return err
		}
		args = args[min(end+1, len(args)):]
	}
	return nil
}

// program reads the options of a program, and it.
func (l *Line) program(args []string) error {
	p := Program{Ranks: 1, Env: map[string]string{}}
	for len(args) > 0 && len(args[0]) > 1 && strings.HasPrefix(args[0], "-") {
		name, value, has := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		o, known := l.options[name]
		switch {
		case !known:
			return core.Errorf(core.Invalid, "option %s is not known", args[0]).Do("`capstan mpiexec --help` lists the options; those of the program come behind it")
		case o.refused != "":
			return core.Errorf(core.Invalid, "option %s cannot be honoured: %s", args[0], o.refused).Do(o.remedy)
		}
		args = args[1:]
		var values []string
		if has {
			values = []string{value}
		}
		if want := o.values - len(values); want > len(args) {
			return core.Errorf(core.Invalid, "option -%s needs %d values", name, o.values)
		} else if want > 0 {
			values, args = append(values, args[:want]...), args[want:]
		}
		if err := o.set(l, &p, values); err != nil {
			return core.Errorf(core.Invalid, "option -%s: %v", name, err)
		}
	}
	if len(args) == 0 {
		if l.Help || l.Version || len(p.Env) == 0 && p.Ranks == 1 && p.Dir == "" {
			return nil // options of the line alone, or those of a file
		}
		return core.Errorf(core.Invalid, "no program behind the options").Do("mpiexec -n 4 ./program")
	}
	p.Argv = args
	l.Programs = append(l.Programs, p)
	return nil
}

// option is one that is known.
type option struct {
	values  int
	set     func(l *Line, p *Program, v []string) error
	refused string // why it cannot be honoured
	remedy  string
}

// number reads how many.
func number(to *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65536 {
		return fmt.Errorf("%q is no number from 1 to 65536", text)
	}
	*to = n
	return nil
}

// file reads a command line from a file: a program a line, # begins a comment.
func (l *Line) file(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for n, text := range strings.Split(string(b), "\n") {
		args, err := words(text)
		if err == nil {
			err = l.parse(args)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n+1, err)
		}
	}
	return nil
}

// words parts a line at blanks, but for those in quotes or behind a backslash.
func words(text string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote rune
	in, escaped := false, false
	end := func() {
		if in {
			list = append(list, word.String())
		}
		word.Reset()
		in = false
	}
	for _, c := range text {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			in, quote = true, c
		case c == ' ' || c == '\t' || c == '\r':
			end()
		case c == '#' && !in:
			end()
			return list, nil
		default:
			in = true
			word.WriteRune(c)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote is not closed")
	}
	end()
	return list, nil
}
