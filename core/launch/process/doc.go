// Package process starts executors as processes of this machine, for where no
// container engine answers.
//
// # Model
//
// Each executor leads a session of its own and has a directory in the state
// folder:
//
//	<state>/executors/<id>/state.json   what was started, and how it ended
//	                      /output       stdout and stderr, the tail of it
//	                      /scratch/     its private directory
//	                      /files/       links to its files
//
// The record is written before the process exists, and the process carries
// CAPSTAN_EXECUTOR=<instance>/<id> in its environment, so that a host that
// comes back finds it whenever the old one died.
//
//	Start ──record──fork──→ running ──pidfd──→ ended ──Stop──→ nothing
//
// # Laws
//
//	P1  A process is known by pid, start time and boot: a pid that was used
//	    again is never taken for an executor, and never killed.
//	P2  The end of an executor is the end of its session: what it left running
//	    is killed, as the end of a container's first process does.
//	P3  Nothing here is a child's keeper: an executor outlives the launcher,
//	    and its end is noticed through a pidfd whether or not it is our child.
//	P4  Stop kills, until none is left, every process of the session and every
//	    process that carries the executor's mark in its environment.
//
// # What a process is not
//
// A container. It runs as the host's own user, sees the machine's disk and
// network, and can write where that user can: run only what you would run by
// hand. Memory is not limited (GOMEMLIMIT asks Go programs to stay below);
// CPU is limited for Go programs by GOMAXPROCS only; pids are not limited;
// read-only paths are read-only by the user's good will. Limits on open files
// and core dumps hold. A grandchild that starts a session of its own and also
// clears its environment is out of reach.
//
// An executor's output is cut to its last 64 KiB while a host runs; a program
// that floods it while none does fills the disk meanwhile.
//
// # Left out
//
// Images, networks (and with them names), volumes at a path of their own (a
// variable says where they are), and systems other than Linux 5.10 and later.
package process
