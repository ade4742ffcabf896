package partition

// run moves the strings of partitions from job.part on, and stops at the first
// that is not safe to move in steps, or behind the last.
//
//go:noescape
func run(job *gathering)

const canGather = true
