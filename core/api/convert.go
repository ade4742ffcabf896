package api

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"
)

// ToStruct turns a noun with JSON tags into a protobuf Struct. Integers above
// 2^53 lose precision, as in every JSON reader.
func ToStruct(v any) (*structpb.Struct, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	s := new(structpb.Struct)
	if err := s.UnmarshalJSON(b); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return s, nil
}

// FromStruct is the reverse of ToStruct. A nil Struct leaves v as it is.
func FromStruct(s *structpb.Struct, v any) error {
	if s == nil {
		return nil
	}
	b, err := s.MarshalJSON()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}
