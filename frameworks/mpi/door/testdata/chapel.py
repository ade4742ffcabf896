"""Plays GASNet's UDP conduit as a Chapel program does. As "chapel.py -nl N" it is
the master: it calls the spawner once, takes a TCP connection of each worker, tells
each where the others' UDP sockets are, and waits. As a worker it dials the master,
and greets its neighbour by UDP."""
import json, os, socket, subprocess, sys


def master(argv):
    n = int(argv[argv.index("-nl") + 1])
    assert os.environ["GASNET_SPAWNFN"] == "C"
    door = socket.create_server((os.environ["CHPL_RT_MASTERIP"], 0))
    door.settimeout(30)
    address = "%s:%d" % door.getsockname()
    # As AMUDP_SPMDCustomSpawn has it: a shell's line, whose failure kills the master.
    worker = "/bin/sh -c \"echo connected to a node; 'env' 'MASTER=%s' '%s' '%s' 'it is \\$5' \" || ( echo \"spawn failed.\" ; kill %d ) " % (
        address, sys.executable, os.path.abspath(__file__), os.getpid())
    line = os.environ["GASNET_CSPAWN_CMD"].replace("%N", str(n)).replace("%C", worker)
    spawner = subprocess.Popen(line, shell=True)
    workers = [door.accept()[0].makefile("rw") for _ in range(n)]
    places = [json.loads(w.readline()) for w in workers]
    for i, w in enumerate(workers):
        w.write(json.dumps({"me": i, "places": places}) + "\n")
        w.flush()
    done = [w.readline().strip() for w in workers]
    print("master heard", len(done), "spawner ended with", spawner.wait())
    return 0


def worker():
    host, port = os.environ["MASTER"].rsplit(":", 1)
    up = socket.create_connection((host, int(port)), 30)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((up.getsockname()[0], 0))
    udp.settimeout(30)
    f = up.makefile("rw")
    f.write(json.dumps(udp.getsockname()) + "\n")
    f.flush()
    told = json.loads(f.readline())
    me, places = told["me"], told["places"]
    udp.sendto(b"from %d" % me, tuple(places[(me + 1) % len(places)]))
    print("locale %d of %d on executor %s heard %s, %s" % (me, len(places), os.environ["EXECUTOR"], udp.recv(64).decode(), sys.argv[1]))
    sys.stdout.flush()
    f.write("done\n")
    f.flush()
    return int(os.environ.get("WORKER_CODE", "0"))


sys.exit(master(sys.argv) if "-nl" in sys.argv else worker())
