//go:build !amd64

package partition

func run(*gathering) { panic("partition: gathering on a machine that cannot") }

const canGather = false
