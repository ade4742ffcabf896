/* Messages: order, wildcards, probes, truncation, derived types, large ones. */
#include "check.h"
#include <stdlib.h>

int main(int argc, char **argv) {
    int rank, size, n, i, flag, word[2];
    MPI_Status st;
    MPI_Request req[2];
    MPI_Datatype column;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int next = (rank + 1) % size, prev = (rank + size - 1) % size;

    for (i = 0; i < 100; i++) MPI_Send(&i, 1, MPI_INT, next, 7, MPI_COMM_WORLD);
    for (i = 0; i < 100; i++) {
        MPI_Recv(&n, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &st);
        CHECK(n == i && st.MPI_SOURCE == prev && st.MPI_TAG == 7);
    }

    double table[4][5], got[4];
    for (i = 0; i < 20; i++) table[i / 5][i % 5] = rank * 100 + i;
    MPI_Type_vector(4, 1, 5, MPI_DOUBLE, &column);
    MPI_Type_commit(&column);
    MPI_Isend(&table[0][2], 1, column, next, 1, MPI_COMM_WORLD, &req[0]);
    MPI_Irecv(got, 4, MPI_DOUBLE, prev, 1, MPI_COMM_WORLD, &req[1]);
    MPI_Waitall(2, req, MPI_STATUSES_IGNORE);
    for (i = 0; i < 4; i++) CHECK(got[i] == prev * 100 + 5 * i + 2);
    MPI_Type_free(&column);

    MPI_Isend(word, 2, MPI_INT, next, 2, MPI_COMM_WORLD, &req[0]);
    MPI_Probe(prev, 2, MPI_COMM_WORLD, &st);
    MPI_Get_count(&st, MPI_INT, &n);
    CHECK(n == 2);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    i = MPI_Recv(word, 1, MPI_INT, prev, 2, MPI_COMM_WORLD, &st);
    MPI_Error_class(i, &n);
    CHECK(n == MPI_ERR_TRUNCATE);
    MPI_Wait(&req[0], MPI_STATUS_IGNORE);
    i = MPI_Send(&n, 1, MPI_INT, size, 0, MPI_COMM_WORLD);
    MPI_Error_class(i, &n);
    CHECK(n == MPI_ERR_RANK);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);

    const int large = 1 << 20;
    int *out = malloc(large * sizeof *out), *in = malloc(large * sizeof *in);
    for (i = 0; i < large; i++) out[i] = rank + i;
    MPI_Sendrecv(out, large, MPI_INT, next, 3, in, large, MPI_INT, prev, 3, MPI_COMM_WORLD, &st);
    for (i = 0; i < large; i += 1000) CHECK(in[i] == prev + i);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &st);
    CHECK(!flag);
    free(out);
    free(in);
    return verdict();
}
