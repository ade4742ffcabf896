// Package framework makes Batch a core.Framework: what the host, the plugin
// process and every executor of a Batch job call.
//
// # Laws
//
//	F1  Plan changes nothing. It looks whether the folders that streams go to are
//	    there, and that nothing would be overwritten.
//	F2  A container sees spec.workdir read-only and of the store exactly what
//	    stdin, stdout and stderr name.
//	F3  Files of the host's machine are written by the coordinator, under the names
//	    that the spec gives, never under one that an executor says.
//
// # Left out
//
// User code in the coordinator: commands run in executors only.
package framework
