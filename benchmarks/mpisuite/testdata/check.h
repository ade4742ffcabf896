/* What each program of this folder ends with: how many errors all ranks found. */
#ifndef CHECK_H
#define CHECK_H
#include <mpi.h>
#include <stdio.h>

static int errors;
#define CHECK(ok) do { if (!(ok)) { errors++; fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok); } } while (0)

static int verdict(void) {
    int rank, all;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(&errors, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) all ? printf("Found %d errors\n", all) : printf(" No Errors\n");
    fflush(stdout);
    MPI_Finalize();
    return all != 0;
}
#endif
