//go:build !amd64

package block

func fold32(*folding) { panic("block: folding on a machine that cannot") }

const canFold = false
