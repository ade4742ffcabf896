"""NetworkX on a graph of lines `a b`, each edge once.

ALGORITHM INPUT OUTPUT SOURCE            10 iterations of PageRank, timed, or another algorithm
check-ALGORITHM INPUT OUTPUT SOURCE WAYS OURS
    the library's own answer, of PageRank the one that it converges to; WAYS is
    directed or undirected. A spanning forest and a matching are not unique: of
    those OURS, the result's folder, is judged, and what is wrong with it printed.
"""
import pathlib
import sys
import time

import networkx as nx

UNREACHED = 9223372036854775807


def read(path, g):
    with open(path) as lines:
        for line in lines:
            a, b = map(int, line.split()[:2])
            g.add_edge(a, b, weight=1 + (min(a, b) * 31 + max(a, b)) % 255)
    return g


def labels(components):
    return {v: min(c) for c in components for v in c}


def ten_rounds(g, _):
    # From the same beginning: NetworkX itself stops at convergence only.
    n = len(g)
    values = {v: 1 / n for v in g}
    for _ in range(10):
        says = {v: values[v] / g.degree(v) for v in g}
        values = {v: 0.15 / n + 0.85 * sum(says[t] for t in g[v]) for v in g}
    return values


def components(g, _):
    return labels(nx.weakly_connected_components(g) if g.is_directed() else nx.connected_components(g))


def bfs(g, source):
    values = dict.fromkeys(g, UNREACHED)
    values.update(nx.single_source_shortest_path_length(g, source))
    return values


def sssp(g, source):
    values = dict.fromkeys(g, "infinity")
    values.update(nx.single_source_dijkstra_path_length(g, source))
    return values


TIMED = {"pagerank": ten_rounds, "wcc": components, "bfs": bfs, "sssp": sssp, "lcc": lambda g, _: nx.clustering(g)}
CHECKED = {
    "pagerank": lambda g, _: nx.pagerank(g, alpha=0.85, tol=1e-12, max_iter=1000, weight=None),
    "wcc": components, "bfs": bfs, "sssp": sssp,
    "scc": lambda g, _: labels(nx.strongly_connected_components(g)),
    "lcc": lambda g, _: nx.clustering(g),
    "triangles": lambda g, _: nx.triangles(g),
    "kcore": lambda g, _: nx.core_number(g),
}


def rows(folder):
    for part in sorted(pathlib.Path(folder).glob("part*")):
        with open(part) as lines:
            for line in lines:
                yield line.split()


def mst(g, ours):
    forest = nx.Graph()
    for a, b, weight in rows(ours):
        a, b = int(a), int(b)
        if not g.has_edge(a, b) or g[a][b]["weight"] != float(weight):
            return f"the graph has no edge {a} {b} of weight {weight}"
        forest.add_edge(a, b)
    weight = sum(g[a][b]["weight"] for a, b in forest.edges)
    want = nx.minimum_spanning_tree(g)
    best = want.size(weight="weight")
    if not nx.is_forest(forest) or forest.number_of_edges() != want.number_of_edges() or weight != best:
        return f"{forest.number_of_edges()} edges of weight {weight}, want a forest of {want.number_of_edges()} of weight {best}"
    return None


def matching(g, ours):
    partner = {int(a): int(b) for a, b in rows(ours)}
    if partner.keys() != set(g):
        return f"{len(partner)} vertices, want {len(g)}"
    for v, other in partner.items():
        if partner[other] != v:
            return f"{v} has {other}, who has {partner[other]}"
    pairs = {(a, b) for a, b in partner.items() if a < b}
    if not nx.is_maximal_matching(g, pairs):
        return f"{len(pairs)} pairs that are no maximal matching"
    # Blossoms take time that grows with the cube of the graph.
    if len(g) <= 1000:
        most = len(nx.max_weight_matching(g, maxcardinality=True, weight=None))
        if 2 * len(pairs) < most:
            return f"{len(pairs)} pairs, want at least half of {most}"
    return None


JUDGED = {"mst": mst, "matching": matching}


def main():
    algorithm, source_file, output, source = sys.argv[1:5]
    algorithm, known = algorithm.removeprefix("check-"), TIMED
    directed = False
    if sys.argv[1] != algorithm:
        known, directed = CHECKED, sys.argv[5] == "directed"
    began = time.monotonic()
    g = read(source_file, nx.DiGraph() if directed else nx.Graph())
    print(f"loaded in {time.monotonic() - began:.3f} s")
    if known is CHECKED and algorithm in JUDGED:
        sys.exit(JUDGED[algorithm](g, sys.argv[6]))
    if algorithm not in known:
        sys.exit(f"NetworkX has no {algorithm}")
    began = time.monotonic()
    values = known[algorithm](g, int(source))
    print(f"ran in {time.monotonic() - began:.4f} s")
    with open(output, "w") as out:
        for v, x in values.items():
            out.write(f"{v} {x}\n")


main()
