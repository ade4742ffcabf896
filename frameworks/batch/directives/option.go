package directives

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// option is one of sbatch's or qsub's.
type option struct {
	long  string // "job-name"; "" where there is none
	short string // "J"
	takes value
	bare  string // the value of one that is written without
	usage string // for the help of commands; "" where it is not offered there
	// set puts a value into a request. nil: see refuse and warn.
	set func(r *request, value string) error
	// excludes names options (long or short) that contradict this one.
	excludes []string
	refuse   string // why it cannot be, and what to do: "what; remedy"
	warn     string // what it does not do
}

// value says whether an option takes one.
type value int

const (
	none value = iota
	one
	maybe // only as --name=value
)

// name is the option as people write it.
func (o *option) name() string {
	if o.long != "" {
		return "--" + o.long
	}
	return "-" + o.short
}

func (o *option) is(name string) bool { return name != "" && (o.long == name || o.short == name) }

// parse reads a directive's words as getopt would.
func (d *dialect) parse(l line) (found []setting, faults []core.Diagnostic) {
	fault := func(w word, remedy, format string, args ...any) {
		faults = append(faults, core.Diagnostic{Path: d.prefix, Line: l.number, Column: w.column, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	add := func(o *option, w word, value string) {
		place := core.Diagnostic{Path: d.prefix + " " + o.name(), Line: l.number, Column: w.column}
		found = append(found, setting{option: o, value: value, place: place})
	}
	for i := 0; i < len(l.words); i++ {
		w := l.words[i]
		next := func() (string, bool) {
			if i+1 < len(l.words) {
				i++
				return l.words[i].text, true
			}
			return "", false
		}
		// What follows an unknown option may be its value, and is no fault of its own.
		skip := func() {
			if i+1 < len(l.words) && !strings.HasPrefix(l.words[i+1].text, "-") {
				i++
			}
		}
		switch {
		case strings.HasPrefix(w.text, "--"):
			name, value, valued := strings.Cut(w.text[2:], "=")
			o := d.long(name)
			switch {
			case o == nil:
				fault(w, d.nearest(name), "%s has no option --%s", d.name, name)
				if !valued {
					skip()
				}
			case valued && o.takes == none:
				fault(w, "leave out ="+value, "--%s takes no value", o.long)
			case !valued && o.takes == one:
				if value, valued = next(); !valued {
					fault(w, "write --"+o.long+"=…", "--%s has no value", o.long)
					continue
				}
				add(o, w, value)
			case !valued:
				add(o, w, o.bare)
			default:
				add(o, w, value)
			}
		case strings.HasPrefix(w.text, "-") && len(w.text) > 1:
			if !d.shorts(w, next, add, fault) {
				skip()
			}
		default:
			fault(w, "options begin with -", "%q is no option", w.text)
		}
	}
	return found, faults
}

// shorts reads -N2, -N 2, and -HN2; known is false if there is no such option.
func (d *dialect) shorts(w word, next func() (string, bool), add func(*option, word, string), fault func(word, string, string, ...any)) (known bool) {
	for rest := w.text[1:]; rest != ""; {
		o := d.short(rest[:1])
		if o == nil {
			fault(w, d.known(), "%s has no option -%s", d.name, strings.ToValidUTF8(rest[:1], "?"))
			return false
		}
		rest = rest[1:]
		if o.takes != one {
			add(o, w, o.bare)
			continue
		}
		value, ok := strings.TrimPrefix(rest, "="), rest != ""
		if !ok {
			value, ok = next()
		}
		if !ok {
			fault(w, "write -"+o.short+" …", "-%s has no value", o.short)
			return true
		}
		add(o, w, value)
		return true
	}
	return true
}

func (d *dialect) long(name string) *option {
	for i := range d.options {
		if o := &d.options[i]; name != "" && o.long == name {
			return o
		}
	}
	return nil
}

func (d *dialect) short(name string) *option {
	for i := range d.options {
		if o := &d.options[i]; o.short == name {
			return o
		}
	}
	return nil
}

// nearest is a remedy for an unknown long option.
func (d *dialect) nearest(name string) string {
	var names []string
	for _, o := range d.options {
		if o.long != "" && o.refuse == "" {
			names = append(names, "--"+o.long)
		}
	}
	if s := core.Nearest("--"+name, names); s != "" {
		return fmt.Sprintf("did you mean %s?", s)
	}
	return d.known()
}

// known is a remedy that lists what there is.
func (d *dialect) known() string {
	var names []string
	for i := range d.options {
		if o := &d.options[i]; o.refuse == "" {
			names = append(names, o.name())
		}
	}
	return "there are: " + strings.Join(names, " ")
}
