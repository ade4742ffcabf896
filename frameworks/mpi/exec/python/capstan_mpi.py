"""Be a rank of a Capstan MPI job, from Python: beside ranks in Go, in C, in Python.

    import array
    import capstan_mpi as mpi

    world = mpi.world()
    mine = array.array("d", [world.rank])
    total = world.allreduce(mine, mpi.SUM)      # a memoryview of doubles
    print(world.rank, "of", world.size, total[0])

and then

    capstan mpiexec -n 4 capstan mpi-rank python3 program.py

One file, the standard library alone. Whatever has the buffer protocol can be sent
and received into, if it is contiguous and of a numeric type: bytes, bytearray,
array.array, memoryview, numpy arrays. What a call returns is a memoryview of the
right type; numpy.asarray(it) is an array over the same memory. Complex numbers come
as a memoryview of bytes: numpy.frombuffer(it, complex) reads them.

The program is done with MPI when it calls finalize, or ends by itself: an exception
that nobody catches ends the whole world, with its traceback.

Not thread-safe: one thread at a time talks to the world.

The protocol is documented in Capstan's package frameworks/mpi/exec.
"""

from __future__ import annotations

import atexit
import ctypes
import mmap
import os
import select
import socket
import struct
import sys
import weakref
from typing import Any, Iterable, NamedTuple, Optional, Sequence

__all__ = [
    "ANY", "SUM", "PROD", "MIN", "MAX", "BAND", "BOR", "BXOR", "LAND", "LOR", "LXOR",
    "Comm", "MPIError", "RankLost", "Request", "Status", "Truncated", "WrongKind",
    "abort", "finalize", "wait_all", "wait_any", "world", "zeros",
]

ANY = -1  #: any source, any tag

SUM, PROD, MIN, MAX, BAND, BOR, BXOR, LAND, LOR, LXOR = range(1, 11)

_HELLO, _SEGMENT, _RELEASE, _WAIT, _ABORT, _FINALIZE = range(1, 7)
_SEND, _SSEND, _RECV, _PROBE, _IPROBE = range(16, 21)
(_BARRIER, _BCAST, _GATHER, _GATHERV, _SCATTER, _SCATTERV, _ALLGATHER, _ALLGATHERV, _ALLTOALL, _ALLTOALLV,
 _REDUCE, _ALLREDUCE, _REDUCE_SCATTER, _SCAN, _EXSCAN) = range(32, 47)
_SPLIT, _DUP, _SPLIT_HOST, _FREE = range(48, 52)

_WAITS, _SEGMENTS = 1, 2  # flags
_BATCH, _ANY_KIND = 64, 65535
_NO_COMM = 0xFFFFFFFF
_SMALL = 64 << 10  # bytes; more go through a segment
_ANYTHING = (0, 0, 2**64 - 1)  # room for any number of bytes

_REQUEST = struct.Struct("<IIIIiiHHIIIQQIIQQq")
_ANSWER = struct.Struct("<IIIIiiHHIIIQQq")

_FORMATS = {1: "b", 2: "h", 3: "i", 4: "q", 5: "B", 6: "H", 7: "I", 8: "Q", 9: "f", 10: "d"}
_SIGNED, _UNSIGNED = {1: 1, 2: 2, 4: 3, 8: 4}, {1: 5, 2: 6, 4: 7, 8: 8}
_OTHERS = {"f": 9, "d": 10, "Zf": 11, "Zd": 12, "c": 5, "?": 5}


class MPIError(Exception):
    """What the rank's proxy answered instead of a result."""


class Truncated(MPIError):
    """More bytes came than there is room for."""


class WrongKind(MPIError):
    """The message has elements of another kind."""


class RankLost(MPIError):
    """A rank that the call needs is gone; rank says which."""

    rank: int = -1


class Status(NamedTuple):
    """Of a message: who sent it, its tag, its length in bytes, its kind."""

    source: int
    tag: int
    nbytes: int
    kind: int


class _Answer(NamedTuple):
    command: int
    number: int
    status: int
    inline: int
    peer: int
    tag: int
    kind: int
    zero: int
    zero2: int
    segment: int
    comm: int
    offset: int
    length: int
    value: int


class _Segment(mmap.mmap):
    """Shared memory with the proxy. A memoryview of it keeps it alive."""

    number: int
    room: int


class _Wire:
    """The socket, the answers that nobody has asked for yet, and the segments."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.next = 0
        self.ready: dict[int, tuple[_Answer, memoryview, Optional[_Segment]]] = {}
        self.alive: set[int] = set()  # numbers of requests whose answers are awaited
        self.free: list[_Segment] = []  # scratch that is not in use
        self.lost: list[int] = []  # segments that are garbage
        self.ours: dict[int, tuple[int, int]] = {}  # number of a segment -> where it is mapped, length

    def ask(self, command: int, *, comm: int = 0, peer: int = 0, tag: int = 0, kind: int = 0, op: int = 0,
            counts: Sequence[int] = (), data: Any = b"", out: tuple[int, int, int] = (0, 0, 0),
            room: tuple[int, int, int] = _ANYTHING, value: int = 0, waits: bool = False, answer: bool = True) -> int:
        """Writes a request and returns its number."""
        while self.lost:
            number = self.lost.pop()
            self.drop(self.ask(_RELEASE, out=(number, 0, 0)))
        self.next = self.next + 1 & 0xFFFFFFFF
        head = struct.pack(f"<{len(counts)}Q", *counts)
        inline = len(head) + len(data)
        request = _REQUEST.pack(command, self.next, comm, _SEGMENTS | (_WAITS if waits else 0), peer, tag, kind, op,
                                inline, len(counts), *out, room[0], 0, room[1], room[2], value)
        if answer:
            self.alive.add(self.next)
        self.write(request + head, data)
        return self.next

    def write(self, head: bytes, data: Any) -> None:
        try:
            if len(data) <= _SMALL:
                self.sock.sendall(head + bytes(data))
            else:
                self.sock.sendall(head)
                self.sock.sendall(data)
        except OSError as e:
            raise MPIError(f"the rank's proxy is gone: {e}") from None

    def drop(self, number: int) -> None:
        """Forgets a request: its answer is read and thrown away."""
        self.alive.discard(number)

    def take(self, number: int) -> tuple[_Answer, memoryview, Optional[_Segment]]:
        """Waits for the answer to a request."""
        while number not in self.ready:
            self.read()
        got = self.ready.pop(number)
        _raise(got)
        return got

    def poll(self) -> None:
        """Reads the answers that are there."""
        p = select.poll()
        p.register(self.sock, select.POLLIN)
        while p.poll(0):
            self.read()

    def read(self) -> None:
        try:
            head, anc, _, _ = self.sock.recvmsg(_ANSWER.size, socket.CMSG_SPACE(4))
        except OSError as e:
            raise MPIError(f"the rank's proxy is gone: {e}") from None
        if not head:
            raise MPIError("the rank's proxy is gone")
        head += bytes(self.exactly(_ANSWER.size - len(head)))
        a = _Answer(*_ANSWER.unpack(head))
        data = self.exactly(a.inline)
        segment = None
        for level, type_, fds in anc:
            if level == socket.SOL_SOCKET and type_ == socket.SCM_RIGHTS:
                segment = self.map(struct.unpack("i", fds[:4])[0], a)
        if a.number in self.alive:
            self.alive.discard(a.number)
            self.ready[a.number] = a, data, segment

    def exactly(self, n: int) -> memoryview:
        b = memoryview(bytearray(n))
        at = 0
        while at < n:
            got = self.sock.recv_into(b[at:])
            if not got:
                raise MPIError("the rank's proxy is gone in the middle of an answer")
            at += got
        return b

    def map(self, fd: int, a: _Answer) -> _Segment:
        try:
            s = _Segment(fd, a.length)
        finally:
            os.close(fd)
        s.number, s.room = a.segment, a.length
        self.ours[a.segment] = _address(memoryview(s)), a.length
        weakref.finalize(s, self.forget, a.segment)
        return s

    def forget(self, number: int) -> None:
        self.ours.pop(number, None)
        self.lost.append(number)

    def segment(self, nbytes: int) -> _Segment:
        """New memory that the proxy sees too."""
        _, _, s = self.take(self.ask(_SEGMENT, value=max(nbytes, 1)))
        assert s is not None
        return s

    def scratch(self, nbytes: int) -> _Segment:
        """A segment of at least so many bytes; give it back to free."""
        for i, s in enumerate(self.free):
            if s.room >= nbytes:
                return self.free.pop(i)
        self.free.clear()  # they are too small
        return self.segment(1 << (nbytes - 1).bit_length())

    def within(self, view: memoryview) -> Optional[tuple[int, int, int]]:
        """Where in a segment view lies; None if it does not."""
        if view.readonly or not self.ours:
            return None
        at = _address(view)
        for number, (base, length) in self.ours.items():
            if base <= at and at + view.nbytes <= base + length:
                return number, at - base, view.nbytes
        return None


def _address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def _raise(got: tuple[_Answer, memoryview, Optional[_Segment]]) -> None:
    a, text, _ = got
    if a.status == 0:
        return
    kind = {2: Truncated, 3: WrongKind, 4: RankLost}.get(a.status, MPIError)
    e = kind(bytes(text).decode("utf-8", "replace"))
    if isinstance(e, RankLost):
        e.rank = a.peer
    raise e


def _flat(data: Any) -> tuple[memoryview, int]:
    """The bytes of a buffer, and the kind of its elements."""
    view = memoryview(data)
    if not view.contiguous:
        raise TypeError("the buffer is not contiguous: send a copy of it")
    code = view.format.lstrip("@=<")
    if code in _OTHERS:
        kind = _OTHERS[code]
    elif code in tuple("bhilqn"):
        kind = _SIGNED[view.itemsize]
    elif code in tuple("BHILQN"):
        kind = _UNSIGNED[view.itemsize]
    else:
        raise TypeError(f"elements of format {view.format!r} cannot be sent: take a numeric type")
    if view.nbytes == 0:
        return memoryview(bytearray()), kind
    return view.cast("B"), kind


def _sized(data: Any, counts: Sequence[int]) -> list[int]:
    """Counts of elements such as data has, in bytes."""
    size = memoryview(data).itemsize
    return [n * size for n in counts]


def _typed(view: memoryview, kind: int) -> memoryview:
    return view.cast(_FORMATS[kind]) if kind in _FORMATS else view


def _packed(parts: Iterable[Any]) -> tuple[bytearray, list[int], int]:
    """Buffers one after the other, their lengths, and the kind of all."""
    out, counts, kinds = bytearray(), [], set()
    for p in parts:
        view, kind = _flat(p)
        out += view
        counts.append(view.nbytes)
        if view.nbytes or not kinds:
            kinds.add(kind)
    if len(kinds) > 1:
        raise TypeError(f"the buffers have elements of {len(kinds)} types: take one")
    return out, counts, kinds.pop() if kinds else 5


class Request:
    """An operation that has been begun. Leave its buffers alone until it is done."""

    def __init__(self, wire: _Wire, number: int, finish: Any, held: Sequence[_Segment] = ()) -> None:
        self._wire, self.number, self._finish, self._held = wire, number, finish, list(held)
        self._done, self._result = False, None

    def wait(self) -> Any:
        """Waits, and returns what the blocking form returns."""
        if not self._done:
            _announce([self], True)
            self._take()
        return self._result

    def test(self) -> bool:
        """Tells whether it is done; then wait returns at once."""
        if not self._done and self.number not in self._wire.ready:
            self._wire.poll()
        return self._done or self.number in self._wire.ready

    def _take(self) -> Any:
        try:
            a, data, segment = self._wire.take(self.number)
            self._result = self._finish(a, data, segment)
        finally:
            self._done = True
            self._wire.free += self._held
            self._held = []
        return self._result


def wait_all(requests: Iterable[Request]) -> list[Any]:
    """Waits for all, and returns their results in order."""
    requests = list(requests)
    _announce(requests, True)
    return [r._result if r._done else r._take() for r in requests]


def wait_any(requests: Sequence[Request]) -> tuple[int, Any]:
    """Waits until one is done, and returns its index and result."""
    if not requests:
        raise ValueError("no requests")
    _announce(requests, False)
    while True:
        for i, r in enumerate(requests):
            if r._done or r.number in r._wire.ready:
                return i, r.wait()
        requests[0]._wire.read()


def _announce(requests: Sequence[Request], every: bool) -> None:
    """Tells the proxy what the rank waits for, so that a hang can be explained."""
    left = [r for r in requests if not r._done and r.number not in r._wire.ready]
    if left and (every or len(left) == len(requests)):
        left[0]._wire.ask(_WAIT, data=struct.pack(f"<{len(left)}I", *(r.number for r in left)), value=int(every), answer=False)


class Comm:
    """A communicator: ranks that talk among themselves."""

    def __init__(self, wire: _Wire, number: int, rank: int, size: int) -> None:
        self._wire, self._number = wire, number
        self.rank = rank  #: this process's
        self.size = size  #: how many ranks there are

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    # -- one to one

    def send(self, data: Any, dest: int, tag: int = 0) -> None:
        """Returns when data may be changed: not yet when it was received."""
        self._send(_SEND, data, dest, tag, True)._take()

    def ssend(self, data: Any, dest: int, tag: int = 0) -> None:
        """Returns when the receiver has begun to receive."""
        self._send(_SSEND, data, dest, tag, True)._take()

    def isend(self, data: Any, dest: int, tag: int = 0) -> Request:
        """Begins to send."""
        return self._send(_SEND, data, dest, tag, False)

    def _send(self, command: int, data: Any, dest: int, tag: int, waits: bool) -> Request:
        view, kind = _flat(data)
        return self._begin(command, lambda a, d, s: None, view=view, peer=dest, tag=tag, kind=kind, waits=waits)

    def recv(self, into: Any, source: int = ANY, tag: int = ANY) -> Status:
        """Receives into a buffer; a shorter message fills its beginning."""
        return self._recv(into, source, tag, True)._take()

    def irecv(self, into: Any, source: int = ANY, tag: int = ANY) -> Request:
        """Begins to receive into a buffer; wait returns the Status."""
        return self._recv(into, source, tag, False)

    def _recv(self, into: Any, source: int, tag: int, waits: bool) -> Request:
        view, kind = _flat(into)
        if view.readonly and view.nbytes:
            raise TypeError("the buffer to receive into is read-only: take a bytearray or an array")
        return self._begin(_RECV, _status, into=view, peer=source, tag=tag, kind=kind, waits=waits)

    def receive(self, source: int = ANY, tag: int = ANY) -> tuple[memoryview, Status]:
        """Receives a message of any kind and length."""
        return self._begin(_RECV, lambda a, d, s: (_typed(_body(a, d, s), a.kind), _status(a, d, s)),
                           peer=source, tag=tag, kind=_ANY_KIND, waits=True)._take()

    def sendrecv(self, data: Any, dest: int, into: Any, source: int = ANY, tag: int = 0) -> Status:
        """Sends and receives at once, as in a shift along a ring."""
        r, s = self.irecv(into, source, tag), self.isend(data, dest, tag)
        return wait_all([r, s])[0]

    def probe(self, source: int = ANY, tag: int = ANY) -> Status:
        """Waits for a message, and leaves it there."""
        return self._begin(_PROBE, _status, peer=source, tag=tag, waits=True)._take()

    def iprobe(self, source: int = ANY, tag: int = ANY) -> Optional[Status]:
        """Tells of a message that is there; None if none is."""
        return self._begin(_IPROBE, lambda a, d, s: _status(a, d, s) if a.value else None, peer=source, tag=tag)._take()

    def send_batch(self, batch: Any, dest: int, tag: int = 0) -> None:
        """Sends a pyarrow.RecordBatch."""
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as w:
            w.write_batch(batch)
        view = memoryview(sink.getvalue()).cast("B")
        self._begin(_SEND, lambda a, d, s: None, view=view, peer=dest, tag=tag, kind=_BATCH, waits=True)._take()

    def recv_batch(self, schema: Any, source: int = ANY, tag: int = 0) -> Any:
        """Receives a pyarrow.RecordBatch of a schema, over the memory that it came in."""
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        pa.ipc.new_stream(sink, schema).close()
        view = memoryview(sink.getvalue()).cast("B")
        got = self._begin(_RECV, _body, view=view, peer=source, tag=tag, kind=_BATCH, waits=True)._take()
        with pa.ipc.open_stream(pa.py_buffer(got)) as r:
            return r.read_next_batch()

    # -- all together

    def barrier(self) -> None:
        """Returns when all ranks have called it."""
        self.ibarrier(True)._take()

    def ibarrier(self, _waits: bool = False) -> Request:
        """Begins a barrier."""
        return self._begin(_BARRIER, lambda a, d, s: None, waits=_waits)

    def bcast(self, data: Any, root: int = 0) -> None:
        """Gives all ranks root's bytes, in data, which is as long everywhere."""
        view, kind = _flat(data)
        if self.rank == root:
            self._begin(_BCAST, lambda a, d, s: None, view=view, peer=root, kind=kind, waits=True)._take()
        else:
            self._begin(_BCAST, _status, into=view, peer=root, kind=kind, waits=True)._take()

    def gather(self, data: Any, root: int = 0) -> Optional[list[memoryview]]:
        """At root: what each rank gave, in their order. All give as much."""
        return self._collect(_GATHER, data, (), [memoryview(data).nbytes] * self.size, root)

    def gatherv(self, data: Any, counts: Optional[Sequence[int]] = None, root: int = 0) -> Optional[list[memoryview]]:
        """Root says in counts how many elements each rank gives."""
        if self.rank != root:
            counts = ()
        return self._collect(_GATHERV, data, _sized(data, counts or ()), _sized(data, counts or ()), root)

    def allgather(self, data: Any) -> list[memoryview]:
        """What each rank gave, in their order. All give as much."""
        return self._collect(_ALLGATHER, data, (), [memoryview(data).nbytes] * self.size, None)

    def allgatherv(self, data: Any, counts: Sequence[int]) -> list[memoryview]:
        """All say in counts how many elements each rank gives."""
        return self._collect(_ALLGATHERV, data, _sized(data, counts), _sized(data, counts), None)

    def _collect(self, command: int, data: Any, counts: Sequence[int], lengths: Sequence[int], root: Optional[int]) -> Any:
        view, kind = _flat(data)
        here = root is None or root == self.rank

        def finish(a: _Answer, d: memoryview, s: Optional[_Segment]) -> Any:
            return [_typed(p, kind) for p in _cut(_body(a, d, s), lengths)] if here else None

        return self._begin(command, finish, view=view, kind=kind, peer=root or 0, counts=counts, waits=True)._take()

    def scatter(self, into: Any, data: Any = None, root: int = 0) -> None:
        """Each rank gets in into its part of root's data, which has as much for each."""
        self._deal(_SCATTER, into, data, (), root)

    def scatterv(self, into: Any, data: Any = None, counts: Sequence[int] = (), root: int = 0) -> None:
        """Root says in counts how many elements of data each rank gets."""
        self._deal(_SCATTERV, into, data, _sized(into, counts) if self.rank == root else (), root)

    def _deal(self, command: int, into: Any, data: Any, counts: Sequence[int], root: int) -> None:
        room, kind = _flat(into)
        view = _flat(data)[0] if self.rank == root else None
        self._begin(command, _status, view=view, into=room, counts=counts, peer=root, kind=kind, waits=True)._take()

    def alltoall(self, data: Any) -> memoryview:
        """Each rank gets its part of data, which has as much for each; the result
        has the parts of all ranks."""
        view, kind = _flat(data)
        return self._begin(_ALLTOALL, _one, view=view, kind=kind, waits=True)._take()

    def alltoallv(self, parts: Sequence[Any], counts: Sequence[int]) -> list[memoryview]:
        """Gives each rank its part of parts; counts says how many elements each gives this one."""
        if len(parts) != self.size or len(counts) != self.size:
            raise ValueError(f"{len(parts)} parts and {len(counts)} counts for {self.size} ranks")
        data, to, kind = _packed(parts)
        return self._begin(_ALLTOALLV, lambda a, d, s: _cut(_one(a, d, s), counts), view=memoryview(data),
                           counts=to + _sized(parts[0], counts), kind=kind, waits=True)._take()

    def reduce(self, data: Any, op: int = SUM, root: int = 0) -> Optional[memoryview]:
        """At root: the elements of all ranks, combined one by one."""
        finish = _one if self.rank == root else lambda a, d, s: None
        return self._fold(_REDUCE, data, op, finish, peer=root)._take()

    def allreduce(self, data: Any, op: int = SUM, into: Any = None) -> memoryview:
        """The elements of all ranks, combined one by one; in the buffer into if
        there is one, which may be data."""
        return self._fold(_ALLREDUCE, data, op, _one, into=into)._take()

    def iallreduce(self, data: Any, op: int = SUM) -> Request:
        """Begins an allreduce."""
        return self._fold(_ALLREDUCE, data, op, _one, waits=False)

    def reduce_scatter(self, data: Any, counts: Sequence[int], op: int = SUM) -> memoryview:
        """Of the combined elements this rank's counts[rank]."""
        return self._fold(_REDUCE_SCATTER, data, op, _one, counts=_sized(data, counts))._take()

    def scan(self, data: Any, op: int = SUM) -> memoryview:
        """The elements of ranks up to this one, combined."""
        return self._fold(_SCAN, data, op, _one)._take()

    def exscan(self, data: Any, op: int = SUM) -> memoryview:
        """The elements of ranks before this one, combined; at rank 0 nothing."""
        return self._fold(_EXSCAN, data, op, _one)._take()

    def _fold(self, command: int, data: Any, op: int, finish: Any, into: Any = None, waits: bool = True, **more: Any) -> Request:
        view, kind = _flat(data)
        if into is None:
            return self._begin(command, finish, view=view, kind=kind, op=op, waits=waits, **more)
        room, _ = _flat(into)
        return self._begin(command, lambda a, d, s: memoryview(into), view=view, into=room, kind=kind, op=op, waits=waits, **more)

    # -- communicators

    def split(self, color: int, key: int = 0) -> Optional["Comm"]:
        """The ranks that give the same color, ordered by key; None for color -1."""
        return self._begin(_SPLIT, self._comm, tag=color, value=key, waits=True)._take()

    def dup(self) -> "Comm":
        """The same ranks, whose messages are kept apart from these."""
        return self._begin(_DUP, self._comm, waits=True)._take()

    def split_host(self) -> "Comm":
        """The ranks on this host."""
        return self._begin(_SPLIT_HOST, self._comm, waits=True)._take()

    def free(self) -> None:
        """Ends the use of a communicator that split or dup gave."""
        self._begin(_FREE, lambda a, d, s: None, waits=True)._take()

    def abort(self, code: int = 1, why: str = "") -> None:
        """Ends all ranks of the world."""
        abort(code, why)

    def _comm(self, a: _Answer, data: memoryview, segment: Optional[_Segment]) -> Optional["Comm"]:
        return None if a.comm == _NO_COMM else Comm(self._wire, a.comm, a.peer, a.value)

    def _begin(self, command: int, finish: Any, *, view: Optional[memoryview] = None, into: Optional[memoryview] = None,
               **about: Any) -> Request:
        """Writes a request; large buffers go through segments."""
        wire, held, data, copy = self._wire, [], b"", None
        out, room = (0, 0, 0), _ANYTHING
        if view is not None and view.nbytes:
            out, data = self._outgoing(view, held)
        if into is not None:
            room, copy = self._incoming(into, held)
        number = wire.ask(command, comm=self._number, out=out, room=room, data=data, **about)

        def done(a: _Answer, got: memoryview, segment: Optional[_Segment]) -> Any:
            if copy is not None:
                copy(a, got)
            return finish(a, got, segment)

        return Request(wire, number, done, held)

    def _outgoing(self, view: memoryview, held: list[_Segment]) -> tuple[tuple[int, int, int], Any]:
        if view.nbytes <= _SMALL:
            return (0, 0, 0), view
        there = self._wire.within(view)
        if there is None:
            s = self._wire.scratch(view.nbytes)
            held.append(s)
            s[:view.nbytes] = view
            there = s.number, 0, view.nbytes
        return there, b""

    def _incoming(self, into: memoryview, held: list[_Segment]) -> tuple[tuple[int, int, int], Any]:
        n = into.nbytes
        if n <= _SMALL:
            def inline(a: _Answer, got: memoryview) -> None:
                into[:a.length] = got

            return (0, 0, n), inline
        there = self._wire.within(into)
        if there is not None:
            return there, lambda a, got: None
        s = self._wire.scratch(n)
        held.append(s)

        def copied(a: _Answer, got: memoryview) -> None:
            into[:a.length] = memoryview(s)[:a.length]

        return (s.number, 0, n), copied


def _status(a: _Answer, data: memoryview, segment: Optional[_Segment]) -> Status:
    return Status(a.peer, a.tag, a.length, a.kind)


def _body(a: _Answer, data: memoryview, segment: Optional[_Segment]) -> memoryview:
    if segment is not None:
        return memoryview(segment)[a.offset:a.offset + a.length]
    return data


def _one(a: _Answer, data: memoryview, segment: Optional[_Segment]) -> memoryview:
    return _typed(_body(a, data, segment), a.kind)


def _cut(whole: memoryview, counts: Sequence[int]) -> list[memoryview]:
    """The parts of a buffer, of so many elements each."""
    at, parts = 0, []
    for n in counts:
        parts.append(whole[at:at + n])
        at += n
    return parts


_world: Optional[Comm] = None
_failed = False


def world() -> Comm:
    """The communicator of all ranks. The first call joins them."""
    global _world
    if _world is None:
        _world = _join()
    return _world


def _join() -> Comm:
    fd = os.environ.get("CAPSTAN_MPI_FD")
    if not fd:
        raise MPIError("this process is no rank of an MPI job: start it by"
                       f" capstan mpiexec -n 2 capstan mpi-rank {os.path.basename(sys.executable)} {sys.argv[0]}")
    os.environ.pop("CAPSTAN_MPI_FD")  # a child is not this rank
    sock = socket.socket(fileno=int(fd))
    sock.set_inheritable(False)
    wire = _Wire(sock)
    a, _, _ = wire.take(wire.ask(_HELLO, data=b"CAPMPI01"))
    hook = sys.excepthook

    def uncaught(*what: Any) -> None:
        global _failed
        _failed = True
        hook(*what)

    sys.excepthook = uncaught
    atexit.register(_leave)
    return Comm(wire, 0, a.peer, a.value)


def _leave() -> None:
    if not _failed:
        finalize()


def finalize() -> None:
    """Ends the use of MPI, when all ranks have called it. A program that ends need not call it."""
    global _world
    if _world is None or _world._wire.sock.fileno() < 0:
        return
    wire = _world._wire
    wire.take(wire.ask(_FINALIZE, waits=True))
    wire.sock.close()


def abort(code: int = 1, why: str = "") -> None:
    """Ends all ranks of the world, and this one."""
    wire = world()._wire
    wire.ask(_ABORT, value=code, data=why.encode(), answer=False)
    sys.stderr.flush()
    os._exit(code)


def zeros(n: int, format: str = "d") -> memoryview:
    """Memory for n elements that the rank's proxy sees too: sending and receiving large arrays in it copies nothing
    in this process. numpy.asarray of it is an array."""
    size = struct.calcsize(format)
    return memoryview(world()._wire.segment(n * size))[:n * size].cast(format)
