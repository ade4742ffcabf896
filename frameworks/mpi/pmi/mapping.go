package pmi

import (
	"fmt"
	"strings"
)

// Mapping is PMI_process_mapping: which ranks lie on one node, from the node of
// each rank, numbered from 0 in the order of their first ranks. MPICH uses shared
// memory between ranks that it finds on one node here. It is "" if it would be
// longer than a value may be: ranks then take each other for strangers.
//
// A block (first node, nodes, ranks each) stands for so many nodes in a row with
// so many ranks each.
func Mapping(nodes []int) string {
	var blocks [][3]int
	for i := 0; i < len(nodes); {
		n := i
		for n < len(nodes) && nodes[n] == nodes[i] {
			n++
		}
		ranks := n - i
		last := len(blocks) - 1
		if last >= 0 && blocks[last][0]+blocks[last][1] == nodes[i] && blocks[last][2] == ranks {
			blocks[last][1]++
		} else {
			blocks = append(blocks, [3]int{nodes[i], 1, ranks})
		}
		i = n
	}
	var b strings.Builder
	b.WriteString("(vector")
	for _, k := range blocks {
		fmt.Fprintf(&b, ",(%d,%d,%d)", k[0], k[1], k[2])
	}
	b.WriteByte(')')
	if b.Len() > MaxValue {
		return ""
	}
	return b.String()
}

// nodesOf is the node of each of so many ranks in a mapping that Mapping made;
// nil if it tells too little.
func nodesOf(mapping string, ranks int) []int {
	var nodes []int
	rest, ok := strings.CutPrefix(mapping, "(vector")
	for ok && strings.HasPrefix(rest, ",(") {
		var first, count, each int
		if _, err := fmt.Sscanf(rest, ",(%d,%d,%d)", &first, &count, &each); err != nil || count < 0 || each < 0 {
			return nil
		}
		for i := 0; i < count*each && len(nodes) < ranks; i++ {
			nodes = append(nodes, first+i/each)
		}
		rest = rest[strings.IndexByte(rest, ')')+1:]
	}
	if len(nodes) < ranks {
		return nil
	}
	return nodes
}
