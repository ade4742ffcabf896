package place

import "github.com/capstan-run/capstan/core"

// Kinds names the elements of the fleet's vectors. Whoever adds a name adds it
// for the fleet.
func (f *Fleet) Kinds() *core.Dimensions { return &f.kinds }
