/* The ping-pong that the mesh is held against: prints, for each batch, the
   size and the nanoseconds of one round trip. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(int rank, int size, int batches, int each)
{
	char *out = malloc(size), *in = malloc(size);
	memset(out, rank, size);
	memset(in, 0, size);
	for (int b = -2; b < batches; b++) {
		double start = MPI_Wtime();
		for (int i = 0; i < each; i++) {
			if (rank == 0)
				MPI_Send(out, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
			MPI_Recv(in, size, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			if (rank == 1)
				MPI_Send(out, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
		}
		double ns = (MPI_Wtime() - start) * 1e9 / each;
		if (rank == 0 && b >= 0)
			printf("%d %.1f\n", size, ns);
	}
	free(out);
	free(in);
}

int main(int argc, char **argv)
{
	int rank;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	run(rank, 8, 40, 5000);
	run(rank, 64 << 20, 12, 1);
	MPI_Finalize();
	return 0;
}
