package work

import "bytes"

// Group is the pairs of one call of a Reducer: those whose keys agree in the
// fields that group, in the order of whole keys.
//
//	for g.Next() {
//		use(g.Bytes())
//	}
//
// A reducer need not read all of them.
type Group struct {
	groups  *groups
	*cursor // the current pair
	key     []byte
	started bool
	ended   bool
}

// Key is the part of the key that all pairs of the group share. It is valid
// during the call.
func (g *Group) Key() []byte { return g.key }

// FullKey is the key of the current pair.
func (g *Group) FullKey() []byte { return g.cursor.key }

// Next moves to the next pair of the group. After the last one, or an error of
// the merge, it is false; the error comes back to the task.
func (g *Group) Next() bool {
	if g.groups == nil {
		g.cursor.row++
		return g.cursor.row < g.cursor.rows
	}
	if !g.started {
		g.started = true
		return true
	}
	if g.ended {
		return false
	}
	g.groups.advance()
	g.cursor = g.groups.head
	if g.cursor == nil || !g.groups.same(g.cursor.key) {
		g.ended = true
	}
	return !g.ended
}

// groups cuts a merge into groups.
type groups struct {
	merge     *merger
	fields    int // of the key that group; 0: all
	separator []byte
	head      *cursor // the next pair, nil at the end
	group     Group
	key       []byte // of group, owned
	err       error
}

func newGroups(m *merger, fields int, separator []byte) *groups {
	g := &groups{merge: m, fields: fields, separator: separator}
	g.advance()
	return g
}

func (g *groups) advance() { g.head, g.err = g.merge.next() }

// next skips what is left of the last group and returns the next one, nil at
// the end.
func (g *groups) next() (*Group, error) {
	for g.group.groups != nil && !g.group.ended && g.group.Next() {
	}
	if g.err != nil || g.head == nil {
		return nil, g.err
	}
	g.key = append(g.key[:0], g.of(g.head.key)...)
	g.group = Group{groups: g, cursor: g.head, key: g.key}
	return &g.group, nil
}

func (g *groups) of(key []byte) []byte {
	if g.fields == 0 {
		return key
	}
	return keyFields(key, g.separator, g.fields)
}

func (g *groups) same(key []byte) bool { return bytes.Equal(g.of(key), g.key) }
