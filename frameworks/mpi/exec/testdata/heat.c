/*
 * The heat equation on a square plate: heat [N [STEPS [FILE]]]. See heat.py, whose
 * answer is the same to the bit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capstan_mpi.h"

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 64, steps = argc > 2 ? atoi(argv[2]) : 100;
    cmpi_init();
    int me = cmpi_rank(CMPI_WORLD), size = cmpi_size(CMPI_WORLD);
    int mine = n * (me + 1) / size - n * me / size;
    size_t wide = (size_t)n + 2, bytes = wide * ((size_t)mine + 2) * sizeof(double);

    /* Row 0 and row mine+1 are the neighbours'; each row has an edge left and right. */
    double *old = calloc(1, bytes), *new = calloc(1, bytes);
    if (!old || !new) cmpi_abort(1, "no memory for the plate");
    for (size_t j = 1; me == 0 && j <= (size_t)n; j++) old[j] = new[j] = 100;

    for (int step = 0; step < steps; step++) {
        double *t = old;
        if (step) old = new, new = t;
        cmpi_request halo[4] = {0};
        double *lowest = old + (size_t)mine * wide;
        if (me > 0) {
            cmpi_irecv(old, wide, CMPI_DOUBLE, me - 1, 1, CMPI_WORLD, &halo[0]);
            cmpi_isend(old + wide, wide, CMPI_DOUBLE, me - 1, 2, CMPI_WORLD, &halo[1]);
        }
        if (me < size - 1) {
            cmpi_irecv(lowest + wide, wide, CMPI_DOUBLE, me + 1, 2, CMPI_WORLD, &halo[2]);
            cmpi_isend(lowest, wide, CMPI_DOUBLE, me + 1, 1, CMPI_WORLD, &halo[3]);
        }
        cmpi_waitall(4, halo, NULL);
        for (size_t i = 1; i <= (size_t)mine; i++)
            for (size_t j = 1; j <= (size_t)n; j++) {
                double *p = old + i * wide + j;
                new[i * wide + j] = ((p[-(long)wide] + p[wide]) + (p[-1] + p[1])) * 0.25;
            }
    }

    double change = 0, *first = new + wide + 1;
    for (size_t i = 0; i < (size_t)mine; i++)
        for (size_t j = 0; j < (size_t)n; j++) change = fmax(change, fabs(first[i * wide + j] - old[(i + 1) * wide + j + 1]));
    cmpi_allreduce(&change, &change, 1, CMPI_DOUBLE, CMPI_MAX, CMPI_WORLD);

    if (me != 0) {
        for (size_t i = 0; i < (size_t)mine; i++) cmpi_send(first + i * wide, (size_t)n, CMPI_DOUBLE, 0, 3, CMPI_WORLD);
        return cmpi_finalize();
    }
    FILE *f = argc > 3 ? fopen(argv[3], "wb") : NULL;
    double heat = 0, *row = malloc((size_t)n * sizeof *row);
    for (int rank = 0; row && rank < size; rank++)
        for (int i = n * rank / size; i < n * (rank + 1) / size; i++) {
            if (rank == 0) memcpy(row, first + (size_t)i * wide, (size_t)n * sizeof *row);
            else cmpi_recv(row, (size_t)n, CMPI_DOUBLE, rank, 3, CMPI_WORLD, NULL);
            for (int j = 0; j < n; j++) heat += row[j];
            if (f) fwrite(row, sizeof *row, (size_t)n, f);
        }
    if (f) fclose(f);
    printf("%d x %d, %d steps: heat %.17g, last change %.17g\n", n, n, steps, heat, change);
    return cmpi_finalize();
}
