/* Collectives, communicators, groups, attributes and topologies. */
#include "check.h"

static int freed;
static int forget(MPI_Comm c, int key, void *value, void *extra) {
    (void)c, (void)key, (void)value, (void)extra;
    freed++;
    return MPI_SUCCESS;
}

int main(int argc, char **argv) {
    int rank, size, i, n, key, flag, *value, mark = 42, all[16], one[16];
    MPI_Comm half, copy, ring;
    MPI_Group world, few;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    MPI_Allgather(&rank, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD);
    for (i = 0; i < size; i++) {
        CHECK(all[i] == i);
        one[i] = 100 * rank + i;
    }
    MPI_Alltoall(one, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD);
    for (i = 0; i < size; i++) CHECK(all[i] == 100 * i + rank);
    MPI_Scan(&rank, &n, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    CHECK(n == rank * (rank + 1) / 2);
    n = rank == 0 ? 7 : 0;
    MPI_Bcast(&n, 1, MPI_INT, 0, MPI_COMM_WORLD);
    CHECK(n == 7);

    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
    MPI_Comm_rank(half, &n);
    MPI_Comm_size(half, &i);
    CHECK(n == i - 1 - rank / 2);
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, forget, &key, NULL);
    MPI_Comm_dup(half, &copy);
    MPI_Comm_set_attr(copy, key, &mark);
    MPI_Comm_get_attr(copy, key, &value, &flag);
    CHECK(flag && *value == 42);
    MPI_Comm_free(&copy);
    CHECK(freed == 1);
    MPI_Comm_free(&half);

    MPI_Comm_group(MPI_COMM_WORLD, &world);
    n = size - 1;
    MPI_Group_excl(world, 1, &n, &few);
    MPI_Group_size(few, &i);
    CHECK(i == size - 1);
    MPI_Group_compare(world, few, &i);
    CHECK(i == MPI_UNEQUAL);
    MPI_Group_free(&few);
    MPI_Group_free(&world);

    int dims[1] = {size}, wraps[1] = {1}, left, right;
    MPI_Cart_create(MPI_COMM_WORLD, 1, dims, wraps, 0, &ring);
    MPI_Cart_shift(ring, 0, 1, &left, &right);
    MPI_Sendrecv(&rank, 1, MPI_INT, right, 0, &n, 1, MPI_INT, left, 0, ring, MPI_STATUS_IGNORE);
    CHECK(n == (rank + size - 1) % size);
    MPI_Comm_free(&ring);

    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &value, &flag);
    CHECK(!flag || *value >= size);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &value, &flag);
    CHECK(flag && *value == 0);
    return verdict();
}
