package launch

import (
	"fmt"
	"path/filepath"
)

// Places are an executor's directories as itself sees them. Shm may be "".
type Places struct{ Shared, Shm, Scratch, Files string }

// Environment is what every executor finds in its environment, whatever
// started it; PATH is the launcher's to add. mark comes of [Mark].
func (e *Executor) Environment(p Places, mark string) []string {
	env := []string{
		"HOME=" + p.Scratch,
		"TMPDIR=" + p.Scratch,
		EnvShared + "=" + p.Shared,
		EnvScratch + "=" + p.Scratch,
		EnvFiles + "=" + p.Files,
		mark,
	}
	if p.Shm != "" {
		env = append(env, EnvShm+"="+p.Shm)
	}
	if e.Bootstrap != "" {
		env = append(env, EnvBootstrap+"="+filepath.Join(p.Shared, e.Bootstrap))
	}
	if e.Memory > 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", e.Memory/10*9))
	}
	return env
}

// Mark is the entry of its environment that tells whose an executor is.
func Mark(instance, id string) string { return EnvExecutor + "=" + instance + "/" + id }
