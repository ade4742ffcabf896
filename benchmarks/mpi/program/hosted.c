/* The unmodified MPICH program that Capstan hosts: hosted run|wait MARK. Rank 0
   prints when it is past MPI_Init, in nanoseconds since 1970. Then "run" does the
   same work always and prints its nanoseconds; "wait" meets in barriers until it
   is killed. MARK tells its processes from others. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double numbers[8192], sums[8192];

static void work(int rank)
{
	char byte = 0;
	for (int i = 0; i < 1000; i++)
		if (rank == 0) {
			MPI_Send(&byte, 1, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
			MPI_Recv(&byte, 1, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		} else if (rank == 1) {
			MPI_Recv(&byte, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			MPI_Send(&byte, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
		}
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 8192; k++)
			numbers[k] = numbers[k] * 0.5 + k;
		MPI_Allreduce(numbers, sums, 8192, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	}
}

int main(int argc, char **argv)
{
	int rank;
	struct timespec now;
	if (argc < 2)
		return 2;
	MPI_Init(&argc, &argv);
	clock_gettime(CLOCK_REALTIME, &now);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Barrier(MPI_COMM_WORLD);
	if (rank == 0) {
		printf("%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
		fflush(stdout);
	}
	while (!strcmp(argv[1], "wait")) {
		struct timespec nap = {0, 1000000};
		nanosleep(&nap, NULL);
		MPI_Barrier(MPI_COMM_WORLD);
	}
	double start = MPI_Wtime();
	work(rank);
	if (rank == 0)
		printf("%.0f\n", (MPI_Wtime() - start) * 1e9);
	MPI_Finalize();
	return 0;
}
