package core

import "encoding/json"

// VerbDeploy is the command that gives a job another spec: its Args are a Spec,
// checked and planned as a submitted one is.
const VerbDeploy = "deploy"

// Command is what somebody asks of a job while it runs: scale, pause, deploy.
//
// Commands of a job are numbered from 1 and delivered in that order, at least
// once: what was not answered comes again after a restart of the host or of the
// coordinator. So a coordinator saves what a command changed, with its Number,
// before it answers, and answers one that it has done already.
type Command struct {
	Number int64           `json:"number"`
	Verb   string          `json:"verb"` // one of Description.Commands
	Args   json.RawMessage `json:"args,omitempty"`
}

// Answer is what became of a command. Exactly one is given to each.
type Answer struct {
	Number int64           `json:"number"`
	Result json.RawMessage `json:"result,omitempty"`
	// Refused is why the command changed nothing; nil if it was done.
	Refused *Error `json:"-"`
}

func (Command) event() {}
