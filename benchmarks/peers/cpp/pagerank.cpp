// PageRank by pulling over CSR, as the GAP benchmark suite does it: one sum a
// vertex, two threads of OpenMP, double precision. Usage: pagerank INPUT OUTPUT
// ITERATIONS. INPUT is lines of two ids, numbered from 0; each edge leads both ways.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const int iterations = std::atoi(argv[3]);
  double began = now();
  FILE *in = std::fopen(argv[1], "rb");
  if (!in) { std::perror(argv[1]); return 1; }
  std::fseek(in, 0, SEEK_END);
  std::string data(std::ftell(in), '\0');
  std::rewind(in);
  if (std::fread(data.data(), 1, data.size(), in) != data.size()) { std::perror(argv[1]); return 1; }
  std::fclose(in);
  std::vector<uint32_t> ends;
  uint32_t most = 0, value = 0;
  for (char c : data) {
    if (c >= '0') { value = value * 10 + (c - '0'); continue; }
    ends.push_back(value);
    if (value > most) most = value;
    value = 0;
  }
  const int64_t n = int64_t(most) + 1;
  std::vector<uint64_t> offsets(n + 1), next;
  for (uint32_t v : ends) offsets[v + 1]++;
  for (int64_t v = 0; v < n; v++) offsets[v + 1] += offsets[v];
  next = offsets;
  std::vector<uint32_t> targets(ends.size());
  for (size_t i = 0; i < ends.size(); i += 2) {
    targets[next[ends[i]]++] = ends[i + 1];
    targets[next[ends[i + 1]]++] = ends[i];
  }
  std::printf("loaded in %.3f s\n", now() - began);
  began = now();
  std::vector<double> rank(n, 1.0 / n), says(n);
  for (int k = 0; k < iterations; k++) {
#pragma omp parallel for schedule(dynamic, 16384)
    for (int64_t v = 0; v < n; v++) says[v] = rank[v] / double(offsets[v + 1] - offsets[v]);
#pragma omp parallel for schedule(dynamic, 16384)
    for (int64_t v = 0; v < n; v++) {
      double sum = 0;
      for (uint64_t i = offsets[v]; i < offsets[v + 1]; i++) sum += says[targets[i]];
      rank[v] = 0.15 / n + 0.85 * sum;
    }
  }
  std::printf("ran in %.4f s\n", now() - began);
  FILE *out = std::fopen(argv[2], "wb");
  if (!out) { std::perror(argv[2]); return 1; }
  for (int64_t v = 0; v < n; v++) std::fprintf(out, "%lld %.17g\n", (long long)v, rank[v]);
  return std::fclose(out) == 0 ? 0 : 1;
}
