package place

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// filter is a constraint that a node satisfies or not, whoever is on it.
type filter struct {
	core.Constraint
	re *regexp.Regexp // for LIKE and UNLIKE, of the whole value
}

// Split checks constraints and parts those that belong to a Rank, which a node
// satisfies or not, from those that count the job's ranks (RoleAsk.Counting).
// The error names the first one that cannot be read.
func Split(all []core.Constraint) (rank, counting []core.Constraint, err error) {
	for _, c := range all {
		if counts(c) {
			if _, err := limit(c); err != nil {
				return nil, nil, err
			}
			counting = append(counting, c)
		} else {
			rank = append(rank, c)
		}
	}
	_, _, err = readFilters(rank)
	return rank, counting, err
}

// counts reports whether c counts ranks.
func counts(c core.Constraint) bool {
	switch c.Operator {
	case "UNIQUE", "GROUP_BY", "MAX_PER":
		return true
	case "CLUSTER":
		return c.Value == ""
	}
	return false
}

// limit reads the number of a counting constraint, at least 1.
func limit(c core.Constraint) (int, error) {
	if c.Attribute == "" {
		return 0, fmt.Errorf("constraint %s names no attribute", c.Operator)
	}
	if c.Operator == "UNIQUE" || c.Operator == "CLUSTER" || c.Operator == "GROUP_BY" && c.Value == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("constraint %s: %q is not a number from 1 on", text(c), c.Value)
	}
	return n, nil
}

// text is a constraint as people write it.
func text(c core.Constraint) string {
	s := c.Attribute + " " + c.Operator
	if c.Value != "" {
		s += " " + c.Value
	}
	return s
}

// readFilters parts the constraints of a Rank into filters and tags to keep
// apart from.
func readFilters(all []core.Constraint) (filters []filter, apart []string, err error) {
	for _, c := range all {
		switch c.Operator {
		case "LIKE", "UNLIKE":
			re, err := regexp.Compile("^(?:" + c.Value + ")$")
			if err != nil {
				return nil, nil, fmt.Errorf("constraint %s: %q is not a regular expression: %w", text(c), c.Value, err)
			}
			filters = append(filters, filter{c, re})
		case "CLUSTER":
			if c.Value == "" {
				return nil, nil, fmt.Errorf("constraint %s without a value counts ranks: it belongs to a role", text(c))
			}
			filters = append(filters, filter{c, nil})
		case "APART":
			if c.Value == "" {
				return nil, nil, fmt.Errorf("constraint %s names no value to keep apart from", text(c))
			}
			apart = append(apart, c.Attribute+"="+c.Value)
		default:
			return nil, nil, fmt.Errorf("constraint %s: %q is not LIKE, UNLIKE, CLUSTER, UNIQUE, GROUP_BY, MAX_PER or APART", text(c), c.Operator)
		}
		if c.Attribute == "" {
			return nil, nil, fmt.Errorf("constraint %s names no attribute", c.Operator)
		}
	}
	return filters, apart, nil
}

// admits reports whether a node with this value of the attribute, or with
// none, satisfies the filter.
func (c *filter) admits(value string, has bool) bool {
	switch c.Operator {
	case "LIKE":
		return has && c.re.MatchString(value)
	case "UNLIKE":
		return !has || !c.re.MatchString(value)
	}
	return has && value == c.Value
}

// attribute is a node's value of an attribute; false if it has none.
func (m *machine) attribute(name string) (string, bool) {
	switch name {
	case "host":
		return string(m.ID), true
	case "rack":
		return m.Rack, true
	case "zone":
		return m.Zone, true
	}
	v, ok := m.Labels[name]
	return v, ok
}

// sieve is which nodes the filters of a shape admit, as of a version of the
// plant. It never changes.
type sieve struct {
	version uint64
	admits  bitset // by position
}

// sieve is that of a shape; nil if it admits every node.
func (f *Fleet) sieve(s *shape) *sieve {
	if len(s.filters) == 0 {
		return nil
	}
	if s.like < 0 {
		return &sieve{f.version, f.sift(s.filters)}
	}
	for int(s.like) >= len(f.sieves) {
		f.sieves = append(f.sieves, nil)
	}
	v := f.sieves[s.like]
	if v == nil || v.version != f.version {
		v = &sieve{f.version, f.sift(s.filters)}
		f.sieves[s.like] = v
	}
	return v
}

// sift asks each filter once for every class of nodes, or for every run of
// equal values where the topology is asked.
func (f *Fleet) sift(filters []filter) bitset {
	classes := make([]bool, len(f.labels))
	for class, labels := range f.labels {
		classes[class] = admitted(filters, labels)
	}
	admits := make(bitset, (len(f.order)+63)/64)
	for i, class := range f.classOf {
		if classes[class] {
			admits[i>>6] |= 1 << (i & 63)
		}
	}
	for k := range filters {
		if filters[k].topological() {
			f.siftDomains(&filters[k], admits)
		}
	}
	return admits
}

// admitted reports whether all filters that ask for labels admit these.
func admitted(filters []filter, labels map[string]string) bool {
	for k := range filters {
		c := &filters[k]
		if value, has := labels[c.Attribute]; !c.topological() && !c.admits(value, has) {
			return false
		}
	}
	return true
}

// topological reports whether the filter asks where a node is.
func (c *filter) topological() bool {
	return c.Attribute == "host" || c.Attribute == "rack" || c.Attribute == "zone"
}

// siftDomains takes the nodes that c does not admit out of admits.
func (f *Fleet) siftDomains(c *filter, admits bitset) {
	last, ok := "", false
	for i, r := range f.order {
		value, _ := f.nodes[r].attribute(c.Attribute)
		if i == 0 || value != last {
			last, ok = value, c.admits(value, true)
		}
		if !ok {
			admits.clear(i)
		}
	}
}

// holders is the nodes that hold an image, by position; nil for none. The set
// never changes.
func (f *Fleet) holders(image string) bitset {
	held := f.images[image]
	if image == "" || held == nil {
		return nil
	}
	v := f.stock[image]
	if v == nil || v.version != f.version {
		v = &sieve{f.version, make(bitset, (len(f.order)+63)/64)}
		for i, r := range f.order {
			if held.has(int(r)) {
				v.admits[i>>6] |= 1 << (i & 63)
			}
		}
		f.stock[image] = v
	}
	return v.admits
}

// column is the values of an attribute as numbers, as of a version of the
// plant. It never changes.
type column struct {
	version uint64
	group   []int32 // by position, -1 for a node without the attribute
	groups  int
}

// column numbers the values of an attribute in topology order.
func (f *Fleet) column(attribute string) *column {
	c := f.columns[attribute]
	if c != nil && c.version == f.version {
		return c
	}
	c = &column{version: f.version, group: make([]int32, len(f.order))}
	switch attribute {
	case "rack":
		c.group, c.groups = f.rackOf, len(f.racks)-1
	case "zone":
		c.group, c.groups = f.zoneOf, len(f.zones)-1
	case "host":
		for i := range c.group {
			c.group[i] = int32(i)
		}
		c.groups = len(c.group)
	default:
		c.number(f, attribute)
	}
	f.columns[attribute] = c
	return c
}

func (c *column) number(f *Fleet, attribute string) {
	numbers := map[string]int32{}
	for i, r := range f.order {
		value, has := f.nodes[r].Labels[attribute]
		if !has {
			c.group[i] = -1
			continue
		}
		n, known := numbers[value]
		if !known {
			n = int32(len(numbers))
			numbers[value] = n
		}
		c.group[i] = n
	}
	c.groups = len(numbers)
}
