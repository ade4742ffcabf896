/* One-sided communication, and a file that all ranks write. */
#include "check.h"
#include <stdlib.h>

int main(int argc, char **argv) {
    int rank, size, i, n, *shared;
    MPI_Win win;
    MPI_File f;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int next = (rank + 1) % size;

    MPI_Win_allocate(4 * sizeof(int), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &shared, &win);
    for (i = 0; i < 4; i++) shared[i] = 0;
    MPI_Win_fence(0, win);
    MPI_Put(&rank, 1, MPI_INT, next, 0, 1, MPI_INT, win);
    n = 1;
    MPI_Accumulate(&n, 1, MPI_INT, 0, 1, 1, MPI_INT, MPI_SUM, win);
    MPI_Win_fence(0, win);
    CHECK(shared[0] == (rank + size - 1) % size);
    CHECK(rank != 0 || shared[1] == size);
    MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win);
    int was;
    MPI_Fetch_and_op(&n, &was, MPI_INT, 0, 2, MPI_SUM, win);
    MPI_Win_unlock(0, win);
    CHECK(was >= 0 && was < size);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, win);
    MPI_Get(&was, 1, MPI_INT, 0, 2, 1, MPI_INT, win);
    MPI_Win_unlock(0, win);
    CHECK(was == size);
    MPI_Win_free(&win);

    CHECK(MPI_File_open(MPI_COMM_WORLD, argv[1], MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &f) == MPI_SUCCESS);
    CHECK(MPI_File_write_at_all(f, rank * sizeof(int), &rank, 1, MPI_INT, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    MPI_File_sync(f);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_sync(f);
    MPI_File_read_at(f, next * sizeof(int), &n, 1, MPI_INT, MPI_STATUS_IGNORE);
    CHECK(n == next);
    MPI_File_close(&f);
    return verdict();
}
