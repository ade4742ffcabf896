package launch

import (
	"path/filepath"
	"regexp"

	"github.com/capstan-run/capstan/core"
)

var instanceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}$`)

// CheckHome reports what is wrong with what every launcher is told of itself:
// the directory that is its own, absolute, and the instance that its labels
// name, of [a-zA-Z0-9_.-] and at most 40 bytes.
func CheckHome(stateDir, instance string) error {
	if !instanceName.MatchString(instance) {
		return core.Errorf(core.Invalid, "instance %q is not a name of letters, digits, _ . -", instance)
	}
	if !filepath.IsAbs(stateDir) {
		return core.Errorf(core.Invalid, "state directory %q is not absolute", stateDir)
	}
	return nil
}
