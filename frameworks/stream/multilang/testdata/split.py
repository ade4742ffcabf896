# Splits lines into words. What MISCHIEF names happens once for each file in the
# folder that it does not find.
import os
import sys
import time

from proto import bolt, emit, send

mischief, folder = os.environ.get("MISCHIEF", ""), os.environ.get("FOLDER", "")
limit, seen, held = int(os.environ.get("LIMIT", "3")), 0, []


def due():
    """Answers true so many times in all, over all processes."""
    global seen
    seen += 1
    if not mischief or seen != 100:
        return False
    for n in range(limit):
        try:
            os.close(os.open(os.path.join(folder, "%s-%d" % (mischief, n)), os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            pass
    return False


def process(t):
    again = due()
    for n, word in enumerate(t["tuple"][0].split()):
        if again and n == 1:
            if mischief == "die":
                os.kill(os.getpid(), 9)
            if mischief == "exit":
                sys.stderr.write("I have had enough\n")
                sys.exit(3)
            if mischief == "hang":
                time.sleep(1000)
            if mischief == "babble":
                print("hello there")
                print("end", flush=True)
            if mischief == "stray":
                send({"command": "ack", "id": "nobody's"})
            if mischief == "fail":
                send({"command": "fail", "id": t["id"]})
                return
        anchors = [] if mischief == "loose" else [t["id"]]
        emit([word], anchors=anchors, **({"need_task_ids": False} if os.environ.get("NO_IDS") else {}))
    if mischief == "batch":
        held.append(t["id"])
        return
    send({"command": "ack", "id": t["id"]})


def tick():
    while held:
        send({"command": "ack", "id": held.pop()})


bolt(process, tick)
