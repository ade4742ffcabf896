/*
 * Be a rank of a Capstan MPI job, from C: beside ranks in Go, in Python, in C.
 *
 *     #include <stdio.h>
 *     #include "capstan_mpi.h"
 *
 *     int main(void) {
 *         cmpi_init();
 *         double mine = cmpi_rank(CMPI_WORLD), sum;
 *         cmpi_allreduce(&mine, &sum, 1, CMPI_DOUBLE, CMPI_SUM, CMPI_WORLD);
 *         printf("%d of %d: %g\n", cmpi_rank(CMPI_WORLD), cmpi_size(CMPI_WORLD), sum);
 *         return cmpi_finalize();
 *     }
 *
 * and then
 *
 *     cc -o program program.c capstan_mpi.c
 *     capstan mpiexec -n 4 capstan mpi-rank ./program
 *
 * C99 and POSIX, no other library. Lengths are in elements. A function returns 0, or
 * one of CMPI_ERR_...; but an error ends the world, with its text on stderr, unless
 * cmpi_errors_return(1) was called. Not thread-safe: one thread at a time.
 *
 * The protocol is documented in Capstan's package frameworks/mpi/exec.
 */
#ifndef CAPSTAN_MPI_H
#define CAPSTAN_MPI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t cmpi_comm;
#define CMPI_WORLD ((cmpi_comm)0)
#define CMPI_SELF ((cmpi_comm)1)
#define CMPI_NONE ((cmpi_comm)0xffffffffu) /* no communicator: what split gives for color -1 */
#define CMPI_ANY (-1)                      /* any source, any tag */

typedef enum {
    CMPI_INT8 = 1, CMPI_INT16, CMPI_INT32, CMPI_INT64,
    CMPI_UINT8, CMPI_UINT16, CMPI_UINT32, CMPI_UINT64,
    CMPI_FLOAT, CMPI_DOUBLE,
    CMPI_FLOAT_COMPLEX, CMPI_DOUBLE_COMPLEX,
    CMPI_BYTES = CMPI_UINT8,
    CMPI_ANY_KIND = 65535   /* to receive: any; elements are bytes */
} cmpi_kind;

typedef enum {
    CMPI_SUM = 1, CMPI_PROD, CMPI_MIN, CMPI_MAX,
    CMPI_BAND, CMPI_BOR, CMPI_BXOR, CMPI_LAND, CMPI_LOR, CMPI_LXOR
} cmpi_op;

enum {
    CMPI_ERR_REQUEST = 1, CMPI_ERR_TRUNCATED, CMPI_ERR_KIND, CMPI_ERR_LOST,
    CMPI_ERR_ENDED, CMPI_ERR_RESOURCE, CMPI_ERR_OTHER
};

/* Of a message: who sent it, its tag, the kind and number of its elements. */
typedef struct {
    int source, tag;
    cmpi_kind kind;
    size_t n;
} cmpi_status;

typedef struct cmpi_request_s *cmpi_request; /* an operation that has been begun; NULL: none */

/* Begins the use of MPI. It fails in a process that is not started as a rank. */
int cmpi_init(void);
/* Ends it, when all ranks have called it. A rank that ends before is lost. */
int cmpi_finalize(void);
/* Ends all ranks, and this process with code. */
void cmpi_abort(int code, const char *why);

int cmpi_rank(cmpi_comm);
int cmpi_size(cmpi_comm);

/* The last error in words: what, where and the remedy. */
const char *cmpi_error(void);
/* The rank that was lost, after CMPI_ERR_LOST. */
int cmpi_lost(void);
/* 1: errors are returned. 0, as at first: they end the world. */
void cmpi_errors_return(int);

/* Memory that the rank's proxy sees too: large arrays in it are sent and received
 * without a copy in this process. NULL: none to be had. */
void *cmpi_alloc(size_t bytes);
void cmpi_free(void *);

/* One to one. status may be NULL. */
int cmpi_send(const void *data, size_t n, cmpi_kind, int dest, int tag, cmpi_comm);
int cmpi_ssend(const void *data, size_t n, cmpi_kind, int dest, int tag, cmpi_comm);
int cmpi_recv(void *into, size_t room, cmpi_kind, int source, int tag, cmpi_comm, cmpi_status *);
int cmpi_sendrecv(const void *data, size_t n, int dest, int sendtag, void *into, size_t room,
                  int source, int recvtag, cmpi_kind, cmpi_comm, cmpi_status *);
int cmpi_probe(int source, int tag, cmpi_comm, cmpi_status *);
int cmpi_iprobe(int source, int tag, cmpi_comm, int *there, cmpi_status *);

/* Begun; the buffers are left alone until wait, or test with *done 1, has freed the
 * request and set it to NULL. */
int cmpi_isend(const void *data, size_t n, cmpi_kind, int dest, int tag, cmpi_comm, cmpi_request *);
int cmpi_irecv(void *into, size_t room, cmpi_kind, int source, int tag, cmpi_comm, cmpi_request *);
int cmpi_ibarrier(cmpi_comm, cmpi_request *);
int cmpi_iallreduce(const void *data, void *into, size_t n, cmpi_kind, cmpi_op, cmpi_comm, cmpi_request *);
int cmpi_wait(cmpi_request *, cmpi_status *);
int cmpi_waitall(size_t n, cmpi_request *, cmpi_status *);
int cmpi_test(cmpi_request *, int *done, cmpi_status *);

/* All together. Counts are elements from, or to, each rank; gatherv and scatterv
 * look at them at root only. */
int cmpi_barrier(cmpi_comm);
int cmpi_bcast(void *data, size_t n, cmpi_kind, int root, cmpi_comm);
int cmpi_gather(const void *data, size_t n, void *into, cmpi_kind, int root, cmpi_comm);
int cmpi_gatherv(const void *data, size_t n, void *into, const size_t *counts, cmpi_kind, int root, cmpi_comm);
int cmpi_scatter(const void *data, void *into, size_t n, cmpi_kind, int root, cmpi_comm);
int cmpi_scatterv(const void *data, const size_t *counts, void *into, size_t n, cmpi_kind, int root, cmpi_comm);
int cmpi_allgather(const void *data, size_t n, void *into, cmpi_kind, cmpi_comm);
int cmpi_allgatherv(const void *data, size_t n, void *into, const size_t *counts, cmpi_kind, cmpi_comm);
int cmpi_alltoall(const void *data, void *into, size_t n, cmpi_kind, cmpi_comm);
int cmpi_alltoallv(const void *data, const size_t *to, void *into, const size_t *from, cmpi_kind, cmpi_comm);
int cmpi_reduce(const void *data, void *into, size_t n, cmpi_kind, cmpi_op, int root, cmpi_comm);
int cmpi_allreduce(const void *data, void *into, size_t n, cmpi_kind, cmpi_op, cmpi_comm);
int cmpi_reduce_scatter(const void *data, const size_t *counts, void *into, cmpi_kind, cmpi_op, cmpi_comm);
int cmpi_scan(const void *data, void *into, size_t n, cmpi_kind, cmpi_op, cmpi_comm);
int cmpi_exscan(const void *data, void *into, size_t n, cmpi_kind, cmpi_op, cmpi_comm);

/* Communicators. */
int cmpi_split(cmpi_comm, int color, int key, cmpi_comm *);
int cmpi_dup(cmpi_comm, cmpi_comm *);
int cmpi_split_host(cmpi_comm, cmpi_comm *);
int cmpi_comm_free(cmpi_comm *);

#ifdef __cplusplus
}
#endif
#endif
