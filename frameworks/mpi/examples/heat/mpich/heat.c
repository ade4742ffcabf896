/* The heat equation on a square plate: heat [N [STEPS [FILE]]]. See ../main.go,
   whose answer is the same to the bit. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int me, size, n, rows, wide;

static int first(int rank) { return (int)((long)n * rank / size); }

/* halo passes last rows down and first rows up. */
static void halo(double *plate)
{
	int above = me > 0 ? me - 1 : MPI_PROC_NULL, below = me < size - 1 ? me + 1 : MPI_PROC_NULL;
	MPI_Sendrecv(plate + (long)rows * wide, wide, MPI_DOUBLE, below, 1,
		plate, wide, MPI_DOUBLE, above, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Sendrecv(plate + wide, wide, MPI_DOUBLE, above, 2,
		plate + (long)(rows + 1) * wide, wide, MPI_DOUBLE, below, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* step makes every point of new the mean of those around it, and returns the most
   that one changed. */
static double step(const double *old, double *new)
{
	double most = 0;
	for (int i = 1; i <= rows; i++) {
		const double *row = old + (long)i * wide, *up = row - wide, *down = row + wide;
		double *next = new + (long)i * wide;
		for (int j = 1; j <= n; j++) {
			next[j] = ((up[j] + down[j]) + (row[j - 1] + row[j + 1])) * 0.25;
			most = fmax(most, fabs(next[j] - row[j]));
		}
	}
	return most;
}

/* gather brings all points to rank 0, without edges. */
static double *gather(const double *plate)
{
	double *mine = malloc(sizeof *mine * n * rows), *all = NULL;
	int *counts = malloc(sizeof *counts * size), *starts = malloc(sizeof *starts * size);
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < n; j++)
			mine[(long)i * n + j] = plate[(long)(i + 1) * wide + j + 1];
	for (int r = 0; r < size; r++) {
		starts[r] = first(r) * n;
		counts[r] = (first(r + 1) - first(r)) * n;
	}
	if (me == 0)
		all = malloc(sizeof *all * n * n);
	MPI_Gatherv(mine, n * rows, MPI_DOUBLE, all, counts, starts, MPI_DOUBLE, 0, MPI_COMM_WORLD);
	free(mine);
	free(counts);
	free(starts);
	return all;
}

static void tell(const double *all, int steps, double change, const char *file)
{
	double heat = 0;
	for (long i = 0; i < (long)n * n; i++)
		heat += all[i];
	printf("%d x %d, %d steps: heat %.17g, last change %.17g\n", n, n, steps, heat, change);
	FILE *f = file ? fopen(file, "wb") : NULL;
	if (file && (!f || fwrite(all, sizeof *all, (size_t)n * n, f) != (size_t)n * n || fclose(f))) {
		perror(file);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &me);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	n = argc > 1 ? atoi(argv[1]) : 64;
	int steps = argc > 2 ? atoi(argv[2]) : 100;
	rows = first(me + 1) - first(me);
	wide = n + 2;

	/* Rows 0 and rows+1 are the neighbours'; each row has an edge left and right. */
	double *old = calloc((size_t)(rows + 2) * wide, sizeof *old), *new = calloc((size_t)(rows + 2) * wide, sizeof *new);
	double change = 0;
	for (int j = 1; me == 0 && j <= n; j++)
		old[j] = new[j] = 100;
	for (int i = 0; i < steps; i++) {
		halo(old);
		change = step(old, new);
		double *t = old;
		old = new;
		new = t;
	}
	MPI_Allreduce(MPI_IN_PLACE, &change, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
	double *all = gather(old);
	if (me == 0)
		tell(all, steps, change, argc > 3 ? argv[3] : NULL);
	free(all);
	free(old);
	free(new);
	MPI_Finalize();
	return 0;
}
