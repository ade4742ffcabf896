package block

// fold32 folds values from job.at on, and stops behind the last, or at the
// first that is longer than longest, does not lie in data, or has fewer than 16
// bytes of data behind its start.
//
//go:noescape
func fold32(job *folding)

const canFold = true
