"""A rank that uses everything; everything.c and everything_test.go do the same, in the same order."""

import array
import sys

import capstan_mpi as mpi

LONG = 100_000  # elements that go through a segment


def same(what, got, want):
    got, want = list(got), list(want)
    if got != want:
        sys.exit(f"rank {me}: {what}: {got[:8]}, not {want[:8]}")


def mine(rank, n):
    return array.array("d", [rank * 1000 + i for i in range(n)])


def flat(parts):
    return [v for p in parts for v in p]


world = mpi.world()
me, size = world.rank, world.size
ranks = range(size)
total = sum(ranks)

# reductions
for n in 0, 1, 3, LONG:
    same("allreduce", world.allreduce(mine(me, n)), [total * 1000 + size * i for i in range(n)])
into = mine(me, LONG)
world.allreduce(into, mpi.MAX, into=into)
same("allreduce in place", into, mine(size - 1, LONG))
for root in ranks:
    got = world.reduce(array.array("q", [me, -me]), mpi.MIN, root)
    if me == root:
        same("reduce", got, [0, 1 - size])
same("scan", world.scan(array.array("i", [me + 1])), [(me + 1) * (me + 2) // 2])
same("exscan", world.exscan(array.array("i", [me + 1])), [me * (me + 1) // 2] if me else [])
same("or", world.allreduce(bytes([1 << me]), mpi.BOR), [(1 << size) - 1])
same("and", world.allreduce(array.array("h", [me]), mpi.LAND), [0])
same("reduce_scatter", world.reduce_scatter(mine(0, total + size), [r + 1 for r in ranks]),
     [size * v for v in range(me * (me + 1) // 2, me * (me + 1) // 2 + me + 1)])

# one to all, all to one, all to all
for root in ranks:
    b = mine(root, LONG) if me == root else array.array("d", bytes(8 * LONG))
    world.bcast(b, root)
    same("bcast", b, mine(root, LONG))
    got = world.gather(mine(me, 2), root)
    if me == root:
        same("gather", flat(got), flat(mine(r, 2) for r in ranks))
    got = world.gatherv(mine(me, me), list(ranks), root)
    if me == root:
        same("gatherv", flat(got), flat(mine(r, r) for r in ranks))
    b = array.array("d", [0, 0])
    world.scatter(b, array.array("d", flat(mine(r, 2) for r in ranks)), root)
    same("scatter", b, mine(me, 2))
    b = array.array("d", bytes(8 * me))
    world.scatterv(b, array.array("d", flat(mine(r, r) for r in ranks)), list(ranks), root)
    same("scatterv", b, mine(me, me))
same("allgather", flat(world.allgather(mine(me, 3))), flat(mine(r, 3) for r in ranks))
same("allgatherv", flat(world.allgatherv(mine(me, me), list(ranks))), flat(mine(r, r) for r in ranks))
same("alltoall", world.alltoall(array.array("i", [me * 10 + r for r in ranks])), [r * 10 + me for r in ranks])
same("alltoallv", flat(world.alltoallv([mine(me, r) for r in ranks], [me] * size)), flat(mine(r, me) for r in ranks))

# one to one, along a ring
after, before = (me + 1) % size, (me - 1) % size
for n in 0, 5, LONG:
    b = array.array("d", bytes(8 * n))
    s = world.sendrecv(mine(me, n), after, b, before, 7)
    same("sendrecv", b, mine(before, n))
    same("status", s, [before, 7, 8 * n, 10])
shared = mpi.zeros(LONG)
shared[0], shared[LONG - 1] = me, -me
b = mpi.zeros(LONG)
world.sendrecv(shared, after, b, before, 8)
same("shared memory", [b[0], b[LONG - 1]], [before, -before])

r = world.isend(array.array("i", [me, me]), after, 9)
s = world.probe(before)
same("probe", s, [before, 9, 8, 3])
got, s = world.receive()
same("receive", got, [before, before])
same("its status", s, [before, 9, 8, 3])
r.wait()
if world.iprobe(before, 99) is not None:
    sys.exit("iprobe found what is not there")

b, c = array.array("i", [0]), array.array("i", [0])
late, soon = world.irecv(b, before, 20), world.irecv(c, before, 10)
world.send(array.array("i", [me]), after, 10)
i, s = mpi.wait_any([late, soon])
same("wait_any", [i, c[0], late.test()], [1, before, False])
world.barrier()
world.send(array.array("i", [-me]), after, 20)
late.wait()
same("late", b, [-before])
request = world.ibarrier()
request.wait()
b = array.array("i", bytes(4 * 40))
requests = [world.irecv(memoryview(b)[i:i + 1], before, 30) for i in range(40)]
for i in range(40):
    world.isend(array.array("i", [i]), after, 30)
mpi.wait_all(requests)
same("order", b, range(40))
r = world.irecv(bytearray(1), before, 31)
world.ssend(b"x", after, 31)
r.wait()

# what goes wrong is said
r = world.isend(mine(me, 3), me, 40)
try:
    world.recv(array.array("d", [0]), me, 40)
    sys.exit("a message of 24 bytes fits in 8")
except mpi.Truncated as e:
    assert "24" in str(e) or "3" in str(e), e
r.wait()
r = world.isend(mine(me, 1), me, 41)
try:
    world.recv(bytearray(8), me, 41)
    sys.exit("doubles are bytes")
except mpi.WrongKind as e:
    assert "float64" in str(e), e
r.wait()
try:
    world.send(b"", size, 0)
    sys.exit("there is a rank too many")
except mpi.MPIError as e:
    assert f"rank {size}" in str(e), e

# communicators
half = world.split(me % 2, -me)
same("split", flat(half.allgather(array.array("i", [me]))), [r for r in reversed(ranks) if r % 2 == me % 2])
alone = world.split(0 if me == 0 else -1)
if (alone is None) != (me != 0):
    sys.exit("split with color -1")
twin = world.dup()
r = twin.isend(array.array("i", [1]), after, 50)
world.send(array.array("i", [2]), after, 50)
b = array.array("i", [0])
world.recv(b, before, 50)
same("world", b, [2])
twin.recv(b, before, 50)
same("twin", b, [1])
r.wait()
twin.free()
same("split_host", [world.split_host().size], [size])
world.barrier()
print(f"rank {me} of {size} in Python")
