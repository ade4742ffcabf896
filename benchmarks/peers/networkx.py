"""NetworkX's own algorithms on an undirected graph: ALGORITHM INPUT OUTPUT SOURCE."""
import sys
import time

import networkx as nx

algorithm, source_file, output, source = sys.argv[1:5]
source = int(source)
began = time.monotonic()
g = nx.Graph()
with open(source_file) as lines:
    for line in lines:
        a, b = map(int, line.split())
        g.add_edge(a, b, weight=1 + (min(a, b) * 31 + max(a, b)) % 255)
print(f"loaded in {time.monotonic() - began:.3f} s")
began = time.monotonic()
if algorithm == "pagerank":
    # Ten iterations from the same beginning: NetworkX stops at convergence only.
    n = len(g)
    values = {v: 1 / n for v in g}
    for _ in range(10):
        says = {v: values[v] / g.degree(v) for v in g}
        values = {v: 0.15 / n + 0.85 * sum(says[t] for t in g[v]) for v in g}
elif algorithm == "wcc":
    values = {v: min(c) for c in nx.connected_components(g) for v in c}
elif algorithm == "bfs":
    values = dict.fromkeys(g, 9223372036854775807)
    values.update(nx.single_source_shortest_path_length(g, source))
elif algorithm == "sssp":
    values = dict.fromkeys(g, "infinity")
    values.update(nx.single_source_dijkstra_path_length(g, source))
elif algorithm == "lcc":
    values = nx.clustering(g)
else:
    sys.exit(f"NetworkX has no {algorithm}")
print(f"ran in {time.monotonic() - began:.4f} s")
with open(output, "w") as out:
    for v, x in values.items():
        out.write(f"{v} {x}\n")
