package task

import (
	"cmp"
	"strings"
)

// PreviewRow is a candidate for the report's preview.
type PreviewRow struct {
	Key, Value   string
	Num          float64 // of the value, if it is a number
	IsNum        bool
	KeyNum       int64 // of the key, if it is a whole number
	KeyIsNumeric bool
}

// Compare is negative if a is shown before b. Numbers come before other values;
// ties go by key, ascending.
func Compare(a, b PreviewRow, byKey, descending bool) int {
	c := 0
	switch {
	case byKey:
		c = compareKeys(a, b)
	case a.IsNum && !b.IsNum:
		return -1
	case b.IsNum && !a.IsNum:
		return 1
	case a.IsNum:
		c = cmp.Compare(a.Num, b.Num)
	default:
		c = strings.Compare(a.Value, b.Value)
	}
	if descending {
		c = -c
	}
	return cmp.Or(c, compareKeys(a, b), strings.Compare(a.Value, b.Value))
}

func compareKeys(a, b PreviewRow) int {
	if a.KeyIsNumeric && b.KeyIsNumeric {
		return cmp.Compare(a.KeyNum, b.KeyNum)
	}
	return strings.Compare(a.Key, b.Key)
}
