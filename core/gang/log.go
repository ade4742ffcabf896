package gang

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A log is the events of a scheduler's life in order, one JSON object a line:
//
//	{"Config":{…}}                      the first: what the scheduler was made with
//	{"NodeUp":{"Now":1,"Node":{…}}}
//	{"Submit":{…}}
//	…
//
// Replaying it gives the same state and the same actions, byte for byte (law
// G3).

// readers reads an event of each type, by its name in a log.
var readers = map[string]func(*json.Decoder) (Event, error){
	"NodeUp":        read[NodeUp],
	"NodeDown":      read[NodeDown],
	"NodeDrain":     read[NodeDrain],
	"NodeClear":     read[NodeClear],
	"Submit":        read[Submit],
	"Cancel":        read[Cancel],
	"MemberJoined":  read[MemberJoined],
	"Started":       read[Started],
	"StartFailed":   read[StartFailed],
	"Release":       read[Release],
	"JobEnded":      read[JobEnded],
	"JobForgotten":  read[JobForgotten],
	"ElementsEnded": read[ElementsEnded],
	"Hold":          read[Hold],
	"Resize":        read[Resize],
	"Shrunk":        read[Shrunk],
	"Supply":        read[Supply],
	"Configure":     read[Configure],
	"Reserve":       read[Reserve],
	"Unreserve":     read[Unreserve],
	"MemberLost":    read[MemberLost],
	"MemberReplace": read[MemberReplace],
	"Tick":          read[Tick],
	"Adopt":         read[Adopt],
}

func read[E Event](dec *json.Decoder) (Event, error) {
	var e E
	err := dec.Decode(&e)
	return e, err
}

// AppendConfig appends the first line of a log.
func AppendConfig(b []byte, c Config) ([]byte, error) { return appendLine(b, "Config", c) }

// AppendEvent appends the line of an event.
func AppendEvent(b []byte, e Event) ([]byte, error) { return appendLine(b, name(e), e) }

func name(e Event) string {
	s := fmt.Sprintf("%T", e)
	return s[len("gang."):]
}

func appendLine(b []byte, name string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("write event %s: %w", name, err)
	}
	b = append(b, `{"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	b = append(b, body...)
	return append(b, "}\n"...), nil
}

// ParseEvent reads a line of a log: an Event, or a Config.
func ParseEvent(line []byte) (Event, *Config, error) {
	var one map[string]json.RawMessage
	if err := json.Unmarshal(line, &one); err != nil {
		return nil, nil, fmt.Errorf("read event: %w", err)
	}
	if len(one) != 1 {
		return nil, nil, fmt.Errorf("read event: %d names in a line, want 1", len(one))
	}
	for name, body := range one {
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if name == "Config" {
			c := new(Config)
			return nil, c, wrapped(name, dec.Decode(c))
		}
		read := readers[name]
		if read == nil {
			return nil, nil, fmt.Errorf("read event: no event is called %q", name)
		}
		e, err := read(dec)
		return e, nil, wrapped(name, err)
	}
	panic("gang: unreachable")
}

func wrapped(name string, err error) error {
	if err != nil {
		return fmt.Errorf("read event %s: %w", name, err)
	}
	return nil
}
