package directives

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// IsScript reports whether a file is a script rather than a document.
func IsScript(text []byte) bool { return bytes.HasPrefix(text, []byte("#!")) }

// dialect is whose directives a script has.
type dialect struct {
	prefix  string // "#SBATCH"
	name    string // of the command they are options of: "sbatch"
	options []option
}

func dialects() []dialect { return []dialect{{"#SBATCH", "sbatch", slurm()}, {"#PBS", "qsub", pbs()}} }

// setting is an option as somebody wrote it.
type setting struct {
	*option
	value string
	place core.Diagnostic // Path, Line and Column
	flag  bool            // of the command line
}

// word is a part of a directive's line.
type word struct {
	text   string
	column int // of its first byte, from 1
}

// line is a directive's words.
type line struct {
	number int
	words  []word
}

// read finds the directives of a script: before its first command, as sbatch
// and qsub read them.
func read(script []byte) (found []setting, faults, warnings []core.Diagnostic, qsub bool) {
	all := dialects()
	lines := make([][]line, len(all))
	for n, text := range strings.Split(string(script), "\n") {
		text = strings.TrimRight(text, "\r")
		if trimmed := strings.TrimSpace(text); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			break
		}
		for i, d := range all {
			rest, ok := strings.CutPrefix(text, d.prefix)
			if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				continue
			}
			words, err := split(rest, len(d.prefix)+1)
			if err != nil {
				faults = append(faults, core.Diagnostic{Path: d.prefix, Line: n + 1, Column: 1, Message: err.Error(), Remedy: "close the quotation"})
				continue
			}
			lines[i] = append(lines[i], line{n + 1, words})
		}
	}
	if len(lines[0]) > 0 && len(lines[1]) > 0 {
		warnings = append(warnings, core.Diagnostic{Path: "#PBS", Line: lines[1][0].number, Column: 1, Warning: true,
			Message: "the script has #SBATCH lines, too: its #PBS lines are not read"})
		lines[1] = nil
	}
	for i, d := range all {
		for _, l := range lines[i] {
			s, bad := d.parse(l)
			found, faults = append(found, s...), append(faults, bad...)
		}
	}
	return found, faults, warnings, len(lines[1]) > 0
}

// split cuts text into words as a shell does: quotes hold together, # begins a
// comment. column is that of text's first byte.
func split(text string, column int) ([]word, error) {
	var words []word
	var b strings.Builder
	begun, quote := -1, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
			if begun < 0 {
				begun = i
			}
		case c == ' ' || c == '\t':
			if begun >= 0 {
				words = append(words, word{b.String(), column + begun})
				b.Reset()
				begun = -1
			}
		case c == '#' && begun < 0:
			return words, nil
		default:
			if begun < 0 {
				begun = i
			}
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quotation with %c does not end on its line", quote)
	}
	if begun >= 0 {
		words = append(words, word{b.String(), column + begun})
	}
	return words, nil
}
