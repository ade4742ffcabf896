package algorithm

// traversals are the algorithms that follow edges from vertex to vertex.
func traversals() []Algorithm {
	return nil
}
