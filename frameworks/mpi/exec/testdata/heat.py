"""The heat equation on a square plate: python3 heat.py [N [STEPS [FILE]]].

Each rank has some of the N rows. In every step a point becomes the mean of its four
neighbours; the first and last rows of a rank need the neighbours' rows. The plate's
upper edge is kept at 100 degrees, the others at 0.
"""

import array
import sys

import capstan_mpi as mpi

n = int(sys.argv[1]) if len(sys.argv) > 1 else 64
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 100

world = mpi.world()
me, size = world.rank, world.size
first, last = n * me // size, n * (me + 1) // size
above = me - 1 if me > 0 else None
below = me + 1 if me < size - 1 else None

# rows[0] and rows[-1] are the neighbours'; each row has an edge left and right.
rows = [array.array("d", bytes(8 * (n + 2))) for _ in range(last - first + 2)]
if above is None:
    rows[0] = array.array("d", [0] + [100] * n + [0])

for step in range(steps):
    halo = []
    if above is not None:
        halo += world.irecv(rows[0], above, 1), world.isend(rows[1], above, 2)
    if below is not None:
        halo += world.irecv(rows[-1], below, 2), world.isend(rows[-2], below, 1)
    mpi.wait_all(halo)
    new = [rows[0]]
    for i in range(1, len(rows) - 1):
        up, row, down = rows[i - 1], rows[i], rows[i + 1]
        middle = [((u + d) + (l + r)) * 0.25 for u, d, l, r in zip(up[1:], down[1:], row, row[2:])]
        new.append(array.array("d", [0, *middle, 0]))
    new.append(rows[-1])
    old, rows = rows, new

change = max((abs(a - b) for x, y in zip(old[1:-1], rows[1:-1]) for a, b in zip(x, y)), default=0.0)
change = world.allreduce(array.array("d", [change]), mpi.MAX)[0]

if me != 0:
    for row in rows[1:-1]:
        world.send(row[1:-1], 0, 3)
else:
    plate = [row[1:-1] for row in rows[1:-1]]
    for rank in range(1, size):
        for _ in range(n * rank // size, n * (rank + 1) // size):
            row = array.array("d", bytes(8 * n))
            world.recv(row, rank, 3)
            plate.append(row)
    heat = 0.0
    for row in plate:
        for v in row:
            heat += v
    print(f"{n} x {n}, {steps} steps: heat {heat:.17g}, last change {change:.17g}")
    if len(sys.argv) > 3:
        with open(sys.argv[3], "wb") as f:
            for row in plate:
                row.tofile(f)
