// Package queue keeps what waits for room in the order in which it is to be
// tried, and knows what each queue and user may have. It is pure: what it
// answers depends on nothing but the calls made before.
//
// # Model
//
// A [Claim] asks for a gang: a fresh one that waits to be placed whole, each
// element of an array, or a repair, one rank of a running gang that waits for a
// new node. Claims stand in queues, which form a [Tree]; only a queue without
// others below it takes claims. A [Walk] goes through the claims that may run.
//
//	Add ─→ waits ─── Walk: Next, Granted ──→ charged ─→ Refund
//	         ↑ └─ Remove                         │
//	         └────────── Add: comes back ────────┘
//
// Claims that differ in nothing but arrival are one class: what is true of the
// first holds for all, so a walk looks at classes, not at claims.
//
// A queue has a weight and may have a quota, what it is entitled to. What it
// leaves idle its siblings may borrow, up to Borrow of theirs and Lend of its
// own; what it borrowed others may reclaim. So quotas of siblings are one pool
// at their parent, and so on up; a parent's own quota adds to its pool.
//
// # Laws
//
//	Q1   Repairs stand before fresh gangs: a gang that runs with a hole holds
//	     room and may do nothing with it until the hole is filled. No quota or
//	     limit is held against a repair, and it is not charged: its gang is.
//	Q2   In a queue, the higher priority goes first, then the earlier arrival,
//	     unless its Order says otherwise. Repairs among themselves likewise.
//	Q3   Arrival is a number that the caller gives once and keeps: a gang that
//	     comes back stands where it stood.
//	Q4   The order is total: what is equal by all else is told apart by
//	     arrival, then by ID; queues of equal share by what is first in line.
//	Q5   Of siblings under a fair parent, first come those that use less than
//	     their quotas, then the one with the least share by weight. Shares are
//	     of the resource that the claim next in turn needs most, as a part of
//	     the cluster: see Fairness.
//	Q6   What a queue is granted stays within its quota and what it may borrow,
//	     and together siblings stay within the quotas they pool. Resources for
//	     which neither the queue nor one above it has a quota are not bound.
//	Q7   What a queue or a user is granted stays within their limits.
//	Q8   A share is what is used now plus an average of the past in which each
//	     half-life counts half of the one after it. Shares are integers: of
//	     what is used to 2^-40 of the cluster, of the past to 2^-32, which is
//	     brought up to date 64 times in a half-life.
//	Q9   A claim that has waited for Guard goes before all fresh claims that
//	     have not, of any queue and priority; the oldest first.
//	Q10  If a quota or limit is in the way of such a claim, what it needs is
//	     kept free for it, so that smaller ones cannot for ever take what it
//	     waits for. So with a guard nothing starves in a queue. The 64 oldest
//	     of these hold room; what could never run holds none.
//
// # Fairness
//
// Where each queue runs one kind of work, Q5 is dominant resource fairness (Ghodsi et
// al., NSDI 2011). In a hierarchy, adding up children starves: a queue one of
// whose children holds all CPUs has a dominant share of one, and its other
// child, which asks for GPUs, never has its turn. H-DRF (Bhattacharya et al.,
// "Hierarchical Scheduling for Diverse Datacenter Workloads", SoCC 2013) scales
// children down to the least of them before it adds them up. That costs a pass
// over all children for each grant, and while a new child catches up, its
// parent gets more of a resource than its weight, because it counts as small.
//
// Here each resource has a tree of its own: queues are compared by what they
// use of the resource that dominates the claim in question, and of the
// resources the one with the least share at the top goes first. Under saturation
// each subtree gets its weighted part of each resource it asks for; what a
// sibling holds of another resource is not held against it. That is in the spirit
// of Dolev et al., "No Justified Complaints" (ITCS 2012). A queue
// that runs work of several kinds side by side is compared kind by kind, so it
// may get its part of each resource, where dominant shares would give it one.
//
// # Cost
//
// With n claims in line, Add and Remove cost O(log n + a block of 128). A walk
// costs O(1) for each class that it offers or finds inadmissible, so n claims of
// c classes cost O(c), not O(n); each grant costs O(depth · log siblings); and
// each queue from which something was skipped costs as much at the end. Whether
// quotas admit a claim costs O(depth). A change of the cluster, and each step of
// the history, works out all queues anew. Clone and Configure cost O(n).
//
// # Left out
//
// Whether a claim fits on the nodes, who may pass whom there, and which gangs
// give way (package gang).
package queue
