# The protocol of Storm's processes, as far as the tests need it.
import json
import os
import sys
from collections import deque

pending_tuples, pending_ids = deque(), deque()


def read():
    lines = []
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line.rstrip("\n") == "end":
            return json.loads("".join(lines))
        lines.append(line)


def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()


def hello():
    first = read()
    send({"pid": os.getpid()})
    open(os.path.join(first["pidDir"], str(os.getpid())), "w").close()
    return first["conf"], first["context"]


def read_ids():
    while not pending_ids:
        message = read()
        (pending_ids if isinstance(message, list) else pending_tuples).append(message)
    return pending_ids.popleft()


def read_tuple():
    while not pending_tuples:
        message = read()
        (pending_ids if isinstance(message, list) else pending_tuples).append(message)
    return pending_tuples.popleft()


def emit(values, **rest):
    send(dict(command="emit", tuple=values, **rest))
    if rest.get("need_task_ids", True) and "task" not in rest:
        return read_ids()


def bolt(process, tick=None):
    conf, context = hello()
    while True:
        t = read_tuple()
        if t["stream"] == "__heartbeat":
            send({"command": "sync"})
        elif t["stream"] == "__tick":
            if tick:
                tick()
            send({"command": "ack", "id": t["id"]})
        else:
            process(t)
