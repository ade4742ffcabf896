package place

// level is a height in the topology.
type level int

const (
	numa level = iota
	host
	rack
	zone
	cluster
)

func (l level) String() string {
	return [...]string{"numa", "host", "rack", "zone", "cluster"}[l]
}

// levelOf reads a level from host to zone; ok is false for any other.
func levelOf(s string) (level, bool) {
	for l := host; l < cluster; l++ {
		if l.String() == s {
			return l, true
		}
	}
	return cluster, false
}
