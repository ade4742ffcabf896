/* The MPICH program that the native API is held against. A batch is a line in
   the pipe PREFIX-RANK of every rank: its kind, the bytes of a message, the
   rounds that do not count and those that do. Rank 0 prints the nanoseconds of
   a round: a message to and fro, or one collective. */
#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;
static char *out, *in;

static void wrong(const char *what, double got, double want)
{
	fprintf(stderr, "rank %d: %s gave %g, not %g\n", rank, what, got, want);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void pingpong(long bytes, long rounds)
{
	int n = (int)bytes;
	for (long i = 0; i < rounds; i++) {
		if (rank == 0)
			MPI_Send(out, n, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
		if (rank < 2)
			MPI_Recv(in, n, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(out, n, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
	}
	if (rank < 2 && rounds > 0 && (in[0] != 1 - rank || in[n - 1] != 1 - rank))
		wrong("a message", in[n - 1], 1 - rank);
}

/* The data travel: what came is what goes back. */
static void echo(long bytes, long rounds)
{
	int n = (int)bytes;
	for (long i = 0; i < rounds; i++) {
		if (rank == 0)
			MPI_Send(out, n, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
		if (rank < 2)
			MPI_Recv(out, n, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(out, n, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
	}
}

static void allreduce(long bytes, long rounds)
{
	double *from = (double *)out, *to = (double *)in;
	int n = (int)(bytes / sizeof *from);
	for (long i = 0; i < rounds; i++)
		MPI_Allreduce(from, to, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	double want = size * (size + 1) / 2;
	if (rounds > 0 && (to[0] != want || to[n - 1] != want))
		wrong("a sum", to[n - 1], want);
}

static void barrier(long rounds)
{
	for (long i = 0; i < rounds; i++)
		MPI_Barrier(MPI_COMM_WORLD);
}

static void fill(char kind, long bytes)
{
	double *numbers = (double *)out;
	if (kind != 'r')
		memset(out, rank, bytes);
	else
		for (long i = 0; i < bytes / (long)sizeof *numbers; i++)
			numbers[i] = rank + 1;
}

static void play(char kind, long bytes, long rounds)
{
	switch (kind) {
	case 'e': echo(bytes, rounds); break;
	case 'r': allreduce(bytes, rounds); break;
	case 'b': barrier(rounds); break;
	default: pingpong(bytes, rounds);
	}
}

int main(int argc, char **argv)
{
	char name[4096], kind;
	long bytes, warm, rounds, room = 0;
	(void)argc;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	snprintf(name, sizeof name, "%s-%d", argv[1], rank);
	FILE *turns = fopen(name, "r");
	if (!turns) {
		perror(name);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	while (fscanf(turns, " %c %ld %ld %ld", &kind, &bytes, &warm, &rounds) == 4 && kind != 'q') {
		if (bytes > room) {
			room = bytes;
			out = realloc(out, room);
			in = realloc(in, room);
			memset(in, 0, room);
		}
		fill(kind, bytes);
		play(kind, bytes, warm);
		double start = MPI_Wtime();
		play(kind, bytes, rounds);
		if (rank == 0) {
			printf("%.1f\n", (MPI_Wtime() - start) * 1e9 / rounds);
			fflush(stdout);
		}
	}
	MPI_Finalize();
	return 0;
}
