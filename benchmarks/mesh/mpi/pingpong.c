/* The ping-pong that the mesh is held against. For every byte that comes from
   the pipe PREFIX-RANK it makes one batch of round trips: 's' of 8 bytes, 'l'
   of 64 MiB; rank 0 then prints the nanoseconds of one. */
#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank;
static char *out, *in;

static void trips(int size, int each)
{
	for (int i = 0; i < each; i++) {
		if (rank == 0)
			MPI_Send(out, size, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
		MPI_Recv(in, size, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(out, size, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
	}
}

static void batch(int size, int warm, int each)
{
	trips(size, warm);
	double start = MPI_Wtime();
	trips(size, each);
	if (rank == 0) {
		printf("%.1f\n", (MPI_Wtime() - start) * 1e9 / each);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	char name[4096], what;
	const int large = 64 << 20;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	snprintf(name, sizeof name, "%s-%d", argv[1], rank);
	int turns = open(name, O_RDONLY);
	if (turns < 0) {
		perror(name);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	out = malloc(large);
	in = malloc(large);
	memset(out, rank, large);
	memset(in, 0, large);
	while (read(turns, &what, 1) == 1)
		if (what == 's')
			batch(8, 10000, 10000);
		else
			batch(large, 0, 1);
	MPI_Finalize();
	return 0;
}
