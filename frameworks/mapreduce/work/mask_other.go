//go:build !amd64

package work

func classify(set charset, w *[64]byte) (in, wide uint64) { return classifyWords(set, w) }
