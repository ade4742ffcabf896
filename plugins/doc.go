// Package plugins runs frameworks as processes beside the host: the contract
// of package core over hashicorp/go-plugin and gRPC.
//
// # Model
//
// A plugin is a binary that serves one or more kinds. The built-in ones are
// the host's own binary under another argument; a third party's lies in the
// plugin folder and needs no change in Capstan. One binary plays every part:
//
//	host ─┬─ NAME plugin    shared by all jobs: Describe, Plan
//	      ├─ NAME plugin    one for each attempt: Run
//	      └─ (launcher) ─── NAME executor    in each container: Work
//
// [Serve] is the main function of such a binary. [Supervisor] is the host's
// side: it finds plugins, checks them, starts and watches their processes.
//
//	found ──→ ready ⇄ (crashes 1, 2) ──→ held ──verify──→ ready
//	   └────→ refused: changed since it was pinned ──verify --accept──→ ready
//
// # Laws
//
//	P1  An attempt's coordinator has a process of its own: a crash or a hang
//	    there ends that one call, with core.ErrPluginCrash in the chain and the
//	    end of its stderr (the stack) in Detail.
//	P2  A process that does not answer for Config.HangAfter is killed, and that
//	    counts as a crash.
//	P3  The third crash in a row of the shared process holds the plugin: its
//	    kinds are refused, with the top of the three stacks and the remedy, until
//	    it is verified.
//	P4  What runs is what was checked. A third party's binary is hashed and
//	    then executed through the descriptor that was hashed, so nothing can
//	    change between; a hash is used again only while inode, size, mtime and
//	    ctime stay the same. A built-in is executed as /proc/self/exe, the very
//	    inode that the host runs. This is why go-plugin's SecureConfig is not
//	    used: it hashes a path and then runs that path, each time anew. And this
//	    is why a plugin is a binary, no script: an interpreter would open the
//	    file again, by a descriptor that it does not have.
//	P5  The first sight of a third party's binary pins it and says so, if it then
//	    says what it serves. Another hash under the same name is refused until
//	    somebody accepts it. What is added to the folder is found by the next
//	    job or list.
//	P6  No plugin outlives its host, were it killed or were the plugin stopped:
//	    the kernel kills it when the thread that started it is gone.
//	P7  A plugin gets none of the host's environment but PATH, HOME, TMPDIR and
//	    the locale; the link is mutual TLS with certificates of its own.
//
//	P8  A plugin that was ever ready is known by its kinds, kept with its pin: a
//	    job of such a kind is told that the plugin is held, refused or broken
//	    and why, not that the kind is unknown.
//
// A plugin is not a sandbox: it runs with the host's rights. Pinning protects
// against a binary that changed, not against one that was bad when accepted.
//
// # Left out
//
// Which job runs when, attempts and their number (the host), and executors
// (package executor).
package plugins
