package coordinator

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// Encode makes bytes of a state for core.Host.Save. A version is changed with
// the state's meaning.
func Encode(version byte, state any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(version)
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("encode the coordinator's state: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads what Encode made into state, a pointer. A state of another
// version is refused.
func Decode(version byte, b []byte, state any) error {
	if len(b) == 0 || b[0] != version {
		return core.Errorf(core.Internal, "the saved state of the coordinator has an unknown version").
			Do("run the job again: `capstan retry`")
	}
	if err := gob.NewDecoder(bytes.NewReader(b[1:])).Decode(state); err != nil {
		return &core.Error{Kind: core.Internal, What: "the saved state of the coordinator cannot be read",
			Remedy: "run the job again: `capstan retry`", Err: err}
	}
	return nil
}
