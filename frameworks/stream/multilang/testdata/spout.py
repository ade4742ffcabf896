# Emits the numbers up to COUNT, each with an id, and notes in a file what it is
# told; dies once after DIE, and then sends again what was not acked.
import os

from proto import emit, hello, read, send

count, die, path = int(os.environ["COUNT"]), int(os.environ.get("DIE", "0")), os.environ["NOTES"]
acked = set()
if os.path.exists(path):
    for line in open(path):
        if line.startswith("ack "):
            acked.add(int(line.split()[1]))
first = not os.path.exists(path)
notes = open(path, "a", buffering=1)
todo = [n for n in range(count) if n not in acked]
hello()
while True:
    command = read()
    if command["command"] == "next" and todo:
        n = todo.pop(0)
        if first and die and n == die:
            os.kill(os.getpid(), 9)
        emit([n], id=n)
    elif command["command"] == "ack":
        notes.write("ack %d\n" % command["id"])
    else:
        notes.write(command["command"] + "\n") if command["command"] != "next" else None
    send({"command": "sync"})
