package algorithm

// mix is a hash of 64 bits whose every bit depends on every bit of x (the
// finalizer of splitmix64; Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", 2014). Whatever is left to chance is a mix of the seed,
// numbers that come from ids, and the step: never of ranks.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is a number 0 <= u < 1 of a hash.
func unit(hash uint64) float64 { return float64(hash>>11) / (1 << 53) }
