package multilang

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// message is what a process says.
type message struct {
	Command     string            `json:"command"`
	ID          json.RawMessage   `json:"id"`
	Anchors     json.RawMessage   `json:"anchors"`
	Stream      string            `json:"stream"`
	Task        json.Number       `json:"task"`
	Tuple       []json.RawMessage `json:"tuple"`
	NeedTaskIDs *bool             `json:"need_task_ids"`
	Msg         json.RawMessage   `json:"msg"`
	Level       *int              `json:"level"`
	Name        string            `json:"name"`
	Params      json.RawMessage   `json:"params"`
	Pid         json.Number       `json:"pid"`
}

// parse reads a message, in the words of any version of the protocol.
func parse(b []byte) (*message, error) {
	if string(b) == "sync" {
		return &message{Command: "sync"}, nil
	}
	if _, err := strconv.Atoi(string(b)); err == nil {
		return &message{Pid: json.Number(b)}, nil // before 0.7.1
	}
	m := new(message)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("it said %.80q, which is no message: its stdout belongs to the protocol, so that what it prints for people goes to stderr", b)
	}
	return m, nil
}

// ids are the anchors of an emit: none, one, or a list, of text or numbers.
func (m *message) anchors() ([]string, error) {
	b := bytes.TrimSpace(m.Anchors)
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	if b[0] != '[' {
		return []string{idOf(b)}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("its anchors are %.80q, no list of ids", b)
	}
	ids := make([]string, len(list))
	for i, one := range list {
		ids[i] = idOf(one)
	}
	return ids, nil
}

// idOf is an id as text, whether it came as text or as a number.
func idOf(b json.RawMessage) string {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(bytes.TrimSpace(b))
}

// text is what a log or error says.
func text(b json.RawMessage) string {
	if len(b) == 0 {
		return ""
	}
	return idOf(b)
}

// wantsTasks reports whether an emit waits for the ids of its tasks.
func (m *message) wantsTasks() bool {
	direct := m.Task != "" && m.Task != "0"
	return !direct && (m.NeedTaskIDs == nil || *m.NeedTaskIDs)
}

// canonical is a value as JSON without what JSON lets vary.
func canonical(b json.RawMessage) string {
	if simple(b) {
		return string(b)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(b)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return string(b)
	}
	return string(bytes.TrimRight(out.Bytes(), "\n"))
}

// simple reports whether JSON has no other way to write b: a number, a word, or
// text of plain characters.
func simple(b []byte) bool {
	for _, c := range b {
		if c == '\\' || c == ' ' || c < 0x20 || c == '{' || c == '[' {
			return c == ' ' && b[0] == '"' && bytes.IndexByte(b, '\\') < 0
		}
	}
	return true
}
