/* A rank of version 2, by Slurm's client library (libpmi2-0-dev), which grew from
   MPICH's: a key of each rank, and a name for the node. */
#include <slurm/pmi2.h>
#include <stdio.h>
#include <string.h>

#define MUST(call) do { if (call) { fprintf(stderr, "%s\n", #call); return 10; } } while (0)

int main(void) {
    int spawned, size, rank, program, found, length;
    char job[1024], value[1024], key[64], card[64];
    MUST(PMI2_Init(&spawned, &size, &rank, &program));
    MUST(PMI2_Job_GetId(job, sizeof job));
    MUST(PMI2_Info_GetJobAttr("PMI_process_mapping", value, sizeof value, &found) || !found);
    printf("rank %d of %d in %s, %s", rank, size, job, value);
    snprintf(key, sizeof key, "card-%d", rank);
    snprintf(card, sizeof card, "card; of %d", rank);
    MUST(PMI2_KVS_Put(key, card));
    MUST(rank == 0 && PMI2_Info_PutNodeAttr("shm", "/dev/shm/x"));
    MUST(PMI2_Info_GetNodeAttr("shm", value, sizeof value, &found, 1) || !found);
    MUST(strcmp(value, "/dev/shm/x"));
    MUST(PMI2_KVS_Fence());
    snprintf(key, sizeof key, "card-%d", (rank + 1) % size);
    MUST(PMI2_KVS_Get(job, PMI2_ID_NULL, key, value, sizeof value, &length));
    printf(", next: %s\n", value);
    MUST(PMI2_Finalize());
    return 0;
}
