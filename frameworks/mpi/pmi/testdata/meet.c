/* What ranks need of the process manager: to find each other, and a name that
   one has published. With "die" rank 1 does so before it is done. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "%s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 9);
}

int main(int argc, char **argv) {
    int rank, size, sum, flag, *appnum, value = 0;
    char port[MPI_MAX_PORT_NAME] = "tag#0$description#here$";
    MPI_Comm half;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc > 1 && !strcmp(argv[1], "die") && rank == 1) exit(3);
    if (argc > 1 && !strcmp(argv[1], "abort") && rank == 1) MPI_Abort(MPI_COMM_WORLD, 7);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    check(sum == size * (size - 1) / 2, "the sum of the ranks is wrong");
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &appnum, &flag);
    check(flag && *appnum == rank % 2, "the program has another number");

    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    MPI_Comm_size(half, &sum);
    check(sum == (size + 1 - rank % 2) / 2, "the half has another size");
    MPI_Comm_free(&half);

    MPI_Sendrecv(&rank, 1, MPI_INT, (rank + 1) % size, 5, &value, 1, MPI_INT, (rank + size - 1) % size, 5,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    check(value == (rank + size - 1) % size, "the neighbour is another");

    if (rank == 0) MPI_Publish_name("ocean", MPI_INFO_NULL, port);
    MPI_Barrier(MPI_COMM_WORLD);
    memset(port, 0, sizeof port);
    MPI_Lookup_name("ocean", MPI_INFO_NULL, port);
    check(!strcmp(port, "tag#0$description#here$"), "the name leads elsewhere");
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) MPI_Unpublish_name("ocean", MPI_INFO_NULL, port);

    printf("rank %d of %d\n", rank, size);
    MPI_Finalize();
    return 0;
}
