#!/usr/bin/env python3
"""A BSP peer: each rank passes a number around a ring for some supersteps.

It begins with the bytes of its part of the input, and ends with a row that has
its rank, its number, and the sum of all ranks' numbers a superstep before.
"""

import json
import sys

import pyarrow as pa

STEPS = 6


def read(source):
    """The kind of the next stream, its metadata and its rows; None at the end."""
    try:
        reader = pa.ipc.open_stream(source)
    except pa.ArrowInvalid:  # nothing is left
        return None, {}, None
    about = {k.decode(): v.decode() for k, v in (reader.schema.metadata or {}).items()}
    return about.pop("bsp"), about, reader.read_all()


def write(sink, kind, columns=(), **about):
    """Write a stream with named columns, each of a name, a type and values."""
    schema = pa.schema([(n, t) for n, t, _ in columns], metadata={"bsp": kind, **about})
    with pa.ipc.new_stream(sink, schema) as w:
        if columns:
            w.write_batch(pa.record_batch([pa.array(v, t) for _, t, v in columns], schema=schema))
    sink.flush()


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    rank = size = number = 0
    while True:
        kind, about, table = read(source)
        if kind is None:
            return
        if kind == "begin":
            rank, size = int(about["rank"]), int(about["size"])
        elif kind == "input":
            number += sum(len(line.as_py()) for line in table.column("line"))
        elif kind == "state":
            number = table.column("number")[0].as_py()
        elif kind == "save":
            write(sink, "state", [("number", pa.int64(), [number])])
            write(sink, "end")
        elif kind == "messages":
            step = int(about["superstep"])
            if "number" in table.column_names:
                number = (number * 31 + sum(table.column("number").to_pylist())) % 1000003
            if step < STEPS:
                write(sink, "messages", [("to", pa.int32(), [(rank + 1) % size]), ("number", pa.int64(), [number])])
            write(
                sink, "end", saves="1", halt="1" if step >= STEPS else "0", active="1",
                counters=json.dumps({"turns": 1}),
                aggregators=json.dumps({"all": {"op": "sum", "value": float(number)}}),
            )
        elif kind == "finish":
            total = json.loads(about["aggregators"]).get("all", 0)
            write(sink, "rows", [("rank", pa.int32(), [rank]), ("number", pa.int64(), [number]), ("all", pa.float64(), [total])])
            write(sink, "end")


main()
