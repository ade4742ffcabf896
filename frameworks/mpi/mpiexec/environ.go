package mpiexec

import (
	"slices"
	"strings"
)

// local are variables that mean something to the typist's shell alone.
var local = []string{"PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME", "PS1", "PS2", "TMUX", "STY", "TTY", "DISPLAY", "GOMEMLIMIT", "GOMAXPROCS"}

// ofMachine are those that belong to the machine, which a container is not.
var ofMachine = []string{"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "MAIL"}

// secret are parts of names that look as if they held one.
var secret = []string{"TOKEN", "SECRET", "PASSW", "CREDENTIAL", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "AWS_", "SSH_"}

// inherited is what programs find of the typist's environment (law X2).
func inherited(s Site, in inherit) map[string]string {
	env := map[string]string{}
	for _, v := range s.Environ {
		name, value, _ := strings.Cut(v, "=")
		if slices.Contains(in.List, name) || !in.None && passes(name, s.Launcher, in.All) {
			env[name] = value
		}
	}
	return env
}

func passes(name, launcher string, secrets bool) bool {
	switch {
	case slices.Contains(local, name), launcher != "process" && slices.Contains(ofMachine, name):
		return false
	case strings.HasPrefix(name, "CAPSTAN_"), strings.HasPrefix(name, "PMI_"), !identifier(name):
		return false
	}
	upper := strings.ToUpper(name)
	return secrets || !slices.ContainsFunc(secret, func(part string) bool { return strings.Contains(upper, part) })
}

// identifier reports whether a document may have the name.
func identifier(name string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
