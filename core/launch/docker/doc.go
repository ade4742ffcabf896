// Package docker starts executors as containers of a Docker engine that shares
// this machine's disk.
//
// # Model
//
// One tiny image, made here out of a few directories and never pulled, serves
// every built-in executor; what differs comes as mounts: the init binary at
// [launch.BinaryPath], the gang's directory, the executor's own scratch
// directory, files, read-only paths, and for image "host" the machine's
// userland. A user's image gets the same mounts and our binary as its
// entrypoint.
//
//	Start ──create──start──→ running ──die──→ exited ──Stop──→ nothing
//	             parallel       │                       ↑
//	                            └── engine's events ─→ Exits
//
// # Laws
//
//	D1  A container is: one user that is not root, no capability, no new
//	    privileges, default seccomp, a read-only root, private namespaces, no
//	    network unless asked, and limits on memory (swap included), CPU, pids
//	    and open files. No field of an Executor can loosen any of it.
//	D2  Everything made carries the instance's label: containers, networks, the
//	    base image. Nothing without it is ever touched.
//	D3  A call that changes the engine is never abandoned: it runs to its end
//	    or its own time limit, even when the caller has left, so that no
//	    container appears after its clean-up.
//	D4  After every (re)connection to the engine's events the live executors
//	    are compared with the engine's list: an end is not lost in a gap.
//	D5  An engine that is away is waited for, with growing pauses up to a
//	    second; meanwhile nothing is declared ended.
//
// # Choices
//
// Executors run as the host's own user, or as 65532:65532 when the host is
// root ([Launcher.Owner] says which).
//
// The scratch directory is a directory of the state folder rather than a
// tmpfs: a spill has to be larger than memory. /tmp is a small tmpfs (64 MiB,
// charged to the executor's memory), and TMPDIR points to the scratch.
//
// Image "host" shows /usr, /opt, the root's bin, sbin and lib folders, a few
// files of /etc (dynamic linker, alternatives, TLS roots, interpreters'
// settings) and those directories of PATH outside of them that any user of the
// machine can reach. Tools below a private home (pyenv, conda) are not shown:
// name their folder in readOnly, or use an image.
//
// The binary is taken from the machine's disk, by default the running program.
// A host that itself runs in a container shows the engine a path of another
// disk: run it with the state folder mounted under the same path inside and
// outside.
//
// A gang's network has no way out, for questions of names neither: the engine
// answers for the names in it and passes no other on. Some engines (20.10) do
// not answer those at all, and whoever asks waits 20 s; ours ask twice for a
// second each.
//
// An executor with names has an /etc/hosts of its own, in its scratch directory,
// and may write it: what runs inside knows best which of the others are well.
//
// # Left out
//
// Registries with passwords; engines on another machine (their disk is not
// ours); Swarm.
package docker
