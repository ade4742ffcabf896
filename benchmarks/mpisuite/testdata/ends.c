/* Ends as its argument says: by abort, by a signal, by a code after finalize. */
#include "check.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    int rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 1 && !strcmp(argv[1], "abort")) MPI_Abort(MPI_COMM_WORLD, 17);
    if (rank == 1 && !strcmp(argv[1], "signal")) raise(SIGSEGV);
    if (rank == 1 && !strcmp(argv[1], "exit")) exit(18);
    if (!strcmp(argv[1], "code")) {
        MPI_Finalize();
        return rank == 1 ? 19 : 0;
    }
    MPI_Barrier(MPI_COMM_WORLD); /* for ever */
    return verdict();
}
