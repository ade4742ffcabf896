package core

import (
	"errors"
	"fmt"
	"strings"
)

// ErrKind classifies an error by what its reader can do about it. The set is
// closed; it crosses the wire as its string.
type ErrKind string

const (
	Internal    ErrKind = "internal"    // a bug or an unexpected state of ours
	Failed      ErrKind = "failed"      // the job ran and failed
	Invalid     ErrKind = "invalid"     // bad spec or usage
	Cancelled   ErrKind = "cancelled"   // somebody cancelled it
	NotFound    ErrKind = "not-found"   // no such job, object, plugin
	Unplaceable ErrKind = "unplaceable" // no cluster state could hold the gang
	Denied      ErrKind = "denied"      // not allowed
	HostLost    ErrKind = "host-lost"   // no answer; the state of the job is unknown
	TimedOut    ErrKind = "timed-out"   // a deadline or walltime passed
	Conflict    ErrKind = "conflict"    // exists already, or changed meanwhile
)

// ExitCode is the process exit code that stands for the kind.
func (k ErrKind) ExitCode() int {
	switch k {
	case "":
		return 0
	case Invalid:
		return 2
	case Cancelled:
		return 3
	case NotFound:
		return 4
	case Unplaceable:
		return 5
	case Denied:
		return 6
	case HostLost:
		return 7
	case TimedOut:
		return 8
	case Conflict:
		return 9
	default: // Failed, Internal
		return 1
	}
}

// Error is the one error type that reaches a user. All fields but Kind and
// What may be empty.
type Error struct {
	Kind   ErrKind
	What   string // what happened: "input matches no file"
	Where  string // place: "spec.input.path", "file:///data/a.gz at byte 12"
	Remedy string // what to do: "check the path, or set ..."
	// Diagnostics lists every fault of a spec at once.
	Diagnostics []Diagnostic
	// Detail is supporting text shown below the message: a stack, the last
	// lines of stderr. At most a few KiB.
	Detail string
	Err    error // cause, for errors.Is and errors.As
}

// Diagnostic is one fault of a spec.
type Diagnostic struct {
	Path    string `json:"path"`              // "spec.input.path"; "" for the document
	Line    int    `json:"line,omitempty"`    // 1-based; 0 when unknown
	Column  int    `json:"column,omitempty"`  // 1-based; 0 when unknown
	Message string `json:"message"`           // "unknown field \"inptu\""
	Remedy  string `json:"remedy,omitempty"`  // "did you mean \"input\"?"
	Warning bool   `json:"warning,omitempty"` // does not refuse the spec
}

func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Line > 0 {
		fmt.Fprintf(&b, "line %d:%d: ", d.Line, d.Column)
	}
	if d.Path != "" {
		fmt.Fprintf(&b, "%s: ", d.Path)
	}
	b.WriteString(d.Message)
	if d.Remedy != "" {
		fmt.Fprintf(&b, " (%s)", d.Remedy)
	}
	return b.String()
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where)
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Err != nil {
		if e.What != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	for _, d := range e.Diagnostics {
		b.WriteString("\n  ")
		b.WriteString(d.String())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an *Error of kind with a formatted What.
func Errorf(kind ErrKind, format string, args ...any) *Error {
	return &Error{Kind: kind, What: fmt.Sprintf(format, args...)}
}

// At returns e with Where set.
func (e *Error) At(where string) *Error { e.Where = where; return e }

// Do returns e with Remedy set.
func (e *Error) Do(remedy string) *Error { e.Remedy = remedy; return e }

// KindOf returns the kind of the first *Error in err's chain, Internal for
// another error, and "" for nil.
func KindOf(err error) ErrKind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// AsError returns the first *Error of the chain, or wraps err as Internal.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Err: err}
}
