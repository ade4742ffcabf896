/* A rank that uses everything; everything.py and everything_test.go do the same, in the same order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capstan_mpi.h"

enum { LONG = 100000 }; /* elements that go through a segment */

static int me, size;

static void check(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "rank %d: %s (%s)\n", me, what, cmpi_error());
    exit(1);
}

/* The values of a rank, from its first. */
static double value(int rank, int i) { return rank * 1000 + i; }

static double *mine(int rank, int n) {
    double *d = calloc((size_t)n + 1, sizeof *d);
    for (int i = 0; i < n; i++) d[i] = value(rank, i);
    return d;
}

static int is(const double *got, int rank, int n) {
    for (int i = 0; i < n; i++)
        if (got[i] != value(rank, i)) return 0;
    return 1;
}

/* All ranks' values one after the other: n of each, or as many as its rank where n < 0. */
static double *all(int n) {
    double *d = calloc((size_t)(size * (n < 0 ? size : n) + 1), sizeof *d);
    int at = 0;
    for (int r = 0; r < size; r++)
        for (int i = 0; i < (n < 0 ? r : n); i++) d[at++] = value(r, i);
    return d;
}

static void reductions(void) {
    static const int lengths[] = {0, 1, 3, LONG};
    int total = size * (size - 1) / 2;
    double *into = mine(0, LONG);
    for (int l = 0; l < 4; l++) {
        double *d = mine(me, lengths[l]);
        cmpi_allreduce(d, into, (size_t)lengths[l], CMPI_DOUBLE, CMPI_SUM, CMPI_WORLD);
        for (int i = 0; i < lengths[l]; i++) check(into[i] == total * 1000.0 + size * (double)i, "allreduce");
        free(d);
    }
    double *d = mine(me, LONG);
    cmpi_allreduce(d, d, LONG, CMPI_DOUBLE, CMPI_MAX, CMPI_WORLD);
    check(is(d, size - 1, LONG), "allreduce in place");
    for (int root = 0; root < size; root++) {
        int64_t a[2] = {me, -me}, b[2] = {9, 9};
        cmpi_reduce(a, b, 2, CMPI_INT64, CMPI_MIN, root, CMPI_WORLD);
        check(me == root ? b[0] == 0 && b[1] == 1 - size : b[0] == 9, "reduce");
    }
    int32_t one = me + 1, got = 0;
    cmpi_scan(&one, &got, 1, CMPI_INT32, CMPI_SUM, CMPI_WORLD);
    check(got == (me + 1) * (me + 2) / 2, "scan");
    cmpi_exscan(&one, &got, 1, CMPI_INT32, CMPI_SUM, CMPI_WORLD);
    check(me == 0 || got == me * (me + 1) / 2, "exscan");
    uint8_t bit = (uint8_t)(1 << me), bits = 0;
    cmpi_allreduce(&bit, &bits, 1, CMPI_UINT8, CMPI_BOR, CMPI_WORLD);
    check(bits == (1 << size) - 1, "or");
    int16_t truth = (int16_t)me, truths = 9;
    cmpi_allreduce(&truth, &truths, 1, CMPI_INT16, CMPI_LAND, CMPI_WORLD);
    check(truths == 0, "and");
    size_t counts[64];
    for (int r = 0; r < size; r++) counts[r] = (size_t)r + 1;
    double *zero = mine(0, total + size);
    cmpi_reduce_scatter(zero, counts, into, CMPI_DOUBLE, CMPI_SUM, CMPI_WORLD);
    for (int i = 0; i <= me; i++) check(into[i] == size * (double)(me * (me + 1) / 2 + i), "reduce_scatter");
    free(into);
    free(d);
    free(zero);
}

static void rooted(int root) {
    size_t counts[64];
    for (int r = 0; r < size; r++) counts[r] = (size_t)r;
    double *b = me == root ? mine(root, LONG) : mine(99, LONG);
    cmpi_bcast(b, LONG, CMPI_DOUBLE, root, CMPI_WORLD);
    check(is(b, root, LONG), "bcast");
    double *d = mine(me, size > 2 ? size : 2), *two = all(2), *some = all(-1);
    cmpi_gather(d, 2, b, CMPI_DOUBLE, root, CMPI_WORLD);
    check(me != root || !memcmp(b, two, sizeof *b * 2 * (size_t)size), "gather");
    cmpi_gatherv(d, (size_t)me, b, counts, CMPI_DOUBLE, root, CMPI_WORLD);
    check(me != root || !memcmp(b, some, sizeof *b * (size_t)(size * (size - 1) / 2)), "gatherv");
    cmpi_scatter(two, b, 2, CMPI_DOUBLE, root, CMPI_WORLD);
    check(is(b, me, 2), "scatter");
    cmpi_scatterv(some, counts, b, (size_t)me, CMPI_DOUBLE, root, CMPI_WORLD);
    check(is(b, me, me), "scatterv");
    free(b);
    free(d);
    free(two);
    free(some);
}

static void everybody(void) {
    size_t counts[64], to[64], from[64];
    int32_t out[64], in[64];
    for (int r = 0; r < size; r++) {
        counts[r] = to[r] = (size_t)r;
        from[r] = (size_t)me;
        out[r] = me * 10 + r;
    }
    double *b = mine(99, size * (size + 3)), *d = mine(me, size + 3), *three = all(3), *some = all(-1);
    cmpi_allgather(d, 3, b, CMPI_DOUBLE, CMPI_WORLD);
    check(!memcmp(b, three, sizeof *b * 3 * (size_t)size), "allgather");
    cmpi_allgatherv(d, (size_t)me, b, counts, CMPI_DOUBLE, CMPI_WORLD);
    check(!memcmp(b, some, sizeof *b * (size_t)(size * (size - 1) / 2)), "allgatherv");
    cmpi_alltoall(out, in, 1, CMPI_INT32, CMPI_WORLD);
    for (int r = 0; r < size; r++) check(in[r] == r * 10 + me, "alltoall");
    double *parts = calloc((size_t)(size * size), sizeof *parts);
    int at = 0;
    for (int r = 0; r < size; r++)
        for (int i = 0; i < r; i++) parts[at++] = value(me, i);
    cmpi_alltoallv(parts, to, b, from, CMPI_DOUBLE, CMPI_WORLD);
    for (int r = 0; r < size; r++) check(is(b + r * me, r, me), "alltoallv");
    free(b);
    free(d);
    free(three);
    free(some);
    free(parts);
}

static void ring(int after, int before) {
    static const int lengths[] = {0, 5, LONG};
    cmpi_status s;
    for (int l = 0; l < 3; l++) {
        double *d = mine(me, lengths[l]), *b = mine(99, lengths[l]);
        cmpi_sendrecv(d, (size_t)lengths[l], after, 7, b, (size_t)lengths[l], before, 7, CMPI_DOUBLE, CMPI_WORLD, &s);
        check(is(b, before, lengths[l]), "sendrecv");
        check(s.source == before && s.tag == 7 && s.kind == CMPI_DOUBLE && s.n == (size_t)lengths[l], "status");
        free(d);
        free(b);
    }
    double *d = cmpi_alloc(LONG * sizeof *d), *b = cmpi_alloc(LONG * sizeof *b);
    check(d && b, "alloc");
    d[0] = me;
    d[LONG - 1] = -me;
    cmpi_sendrecv(d, LONG, after, 8, b, LONG, before, 8, CMPI_DOUBLE, CMPI_WORLD, NULL);
    check(b[0] == before && b[LONG - 1] == -before, "shared memory");
    cmpi_free(d);
    cmpi_free(b);
}

static void requests(int after, int before) {
    cmpi_status s;
    cmpi_request r, late, soon, many[40];
    int32_t two[2] = {me, me}, b = 0, c = 0, minus = -me, got[40];
    int there, done;
    cmpi_isend(two, 2, CMPI_INT32, after, 9, CMPI_WORLD, &r);
    cmpi_probe(before, CMPI_ANY, CMPI_WORLD, &s);
    check(s.source == before && s.tag == 9 && s.kind == CMPI_INT32 && s.n == 2, "probe");
    cmpi_recv(got, sizeof got, CMPI_ANY_KIND, CMPI_ANY, CMPI_ANY, CMPI_WORLD, &s);
    check(got[0] == before && got[1] == before && s.kind == CMPI_INT32 && s.n == 2, "receive");
    cmpi_wait(&r, NULL);
    cmpi_iprobe(CMPI_ANY, 99, CMPI_WORLD, &there, &s);
    check(!there, "iprobe found what is not there");
    cmpi_irecv(&b, 1, CMPI_INT32, before, 20, CMPI_WORLD, &late);
    cmpi_irecv(&c, 1, CMPI_INT32, before, 10, CMPI_WORLD, &soon);
    cmpi_send(&me, 1, CMPI_INT32, after, 10, CMPI_WORLD);
    cmpi_wait(&soon, NULL);
    cmpi_test(&late, &done, NULL);
    check(c == before && !done, "soon");
    cmpi_barrier(CMPI_WORLD);
    cmpi_send(&minus, 1, CMPI_INT32, after, 20, CMPI_WORLD);
    cmpi_wait(&late, NULL);
    check(b == -before, "late");
    cmpi_ibarrier(CMPI_WORLD, &r);
    cmpi_wait(&r, NULL);
    for (int i = 0; i < 40; i++) cmpi_irecv(&got[i], 1, CMPI_INT32, before, 30, CMPI_WORLD, &many[i]);
    for (int32_t i = 0; i < 40; i++) {
        cmpi_isend(&i, 1, CMPI_INT32, after, 30, CMPI_WORLD, &r);
        cmpi_wait(&r, NULL);
    }
    cmpi_waitall(40, many, NULL);
    for (int i = 0; i < 40; i++) check(got[i] == i, "order");
    char x = 'x', y = 0;
    cmpi_irecv(&y, 1, CMPI_BYTES, before, 31, CMPI_WORLD, &r);
    cmpi_ssend(&x, 1, CMPI_BYTES, after, 31, CMPI_WORLD);
    cmpi_wait(&r, NULL);
    check(y == 'x', "ssend");
}

static void wrong(void) {
    double three[3] = {1, 2, 3}, b;
    char bytes[8];
    cmpi_request r;
    cmpi_errors_return(1);
    cmpi_isend(three, 3, CMPI_DOUBLE, me, 40, CMPI_WORLD, &r);
    check(cmpi_recv(&b, 1, CMPI_DOUBLE, me, 40, CMPI_WORLD, NULL) == CMPI_ERR_TRUNCATED, "a message of 24 bytes fits in 8");
    cmpi_wait(&r, NULL);
    cmpi_isend(three, 1, CMPI_DOUBLE, me, 41, CMPI_WORLD, &r);
    check(cmpi_recv(bytes, 8, CMPI_BYTES, me, 41, CMPI_WORLD, NULL) == CMPI_ERR_KIND, "doubles are bytes");
    check(strstr(cmpi_error(), "float64") != NULL, "the text does not name the kind");
    cmpi_wait(&r, NULL);
    check(cmpi_send(NULL, 0, CMPI_BYTES, size, 0, CMPI_WORLD) == CMPI_ERR_REQUEST, "there is a rank too many");
    cmpi_errors_return(0);
}

static void communicators(int after, int before) {
    cmpi_comm half, alone, twin, host;
    cmpi_request r;
    int32_t got[64], one = 1, two = 2, b;
    cmpi_split(CMPI_WORLD, me % 2, -me, &half);
    cmpi_allgather(&me, 1, got, CMPI_INT32, half);
    for (int i = 0, rank = size - 1; i < cmpi_size(half); rank--)
        if (rank % 2 == me % 2) check(got[i++] == rank, "split");
    cmpi_split(CMPI_WORLD, me == 0 ? 0 : -1, 0, &alone);
    check((alone == CMPI_NONE) == (me != 0), "split with color -1");
    cmpi_dup(CMPI_WORLD, &twin);
    cmpi_isend(&one, 1, CMPI_INT32, after, 50, twin, &r);
    cmpi_send(&two, 1, CMPI_INT32, after, 50, CMPI_WORLD);
    cmpi_recv(&b, 1, CMPI_INT32, before, 50, CMPI_WORLD, NULL);
    check(b == 2, "world");
    cmpi_recv(&b, 1, CMPI_INT32, before, 50, twin, NULL);
    check(b == 1, "twin");
    cmpi_wait(&r, NULL);
    cmpi_comm_free(&twin);
    cmpi_split_host(CMPI_WORLD, &host);
    check(cmpi_size(host) == size, "split_host");
}

int main(void) {
    cmpi_init();
    me = cmpi_rank(CMPI_WORLD);
    size = cmpi_size(CMPI_WORLD);
    int after = (me + 1) % size, before = (me + size - 1) % size;
    reductions();
    for (int root = 0; root < size; root++) rooted(root);
    everybody();
    ring(after, before);
    requests(after, before);
    wrong();
    communicators(after, before);
    cmpi_barrier(CMPI_WORLD);
    printf("rank %d of %d in C\n", me, size);
    return cmpi_finalize();
}
