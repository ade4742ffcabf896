// Package spec reads and checks submitted documents.
package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

// Parse reads a document and checks it against the envelope and its kind's
// schema. All faults come at once, as an *core.Error with Diagnostics.
func Parse(doc []byte, source string, kinds []core.Description) (*core.Spec, error) {
	var v any
	if err := yaml.Unmarshal(doc, &v); err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	s := new(core.Spec)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	if s.Gang.Size == 0 {
		s.Gang.Size = 2
	}
	if s.Gang.CPU == 0 {
		s.Gang.CPU = 1000
	}
	if s.Gang.Memory == 0 {
		s.Gang.Memory = 512 << 20
	}
	return s, nil
}

// Hash is the same for two specs that mean the same.
func Hash(s *core.Spec) string {
	b, _ := json.Marshal(s)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// CheckName accepts [a-z0-9]([-a-z0-9]*[a-z0-9])? of at most 40 bytes.
func CheckName(name string) error {
	if name == "" || len(name) > 40 {
		return fmt.Errorf("want 1 to 40 characters")
	}
	return nil
}
