package work

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the whole environment of the program, sorted by name: the image's,
// then the place in Capstan's, Slurm's and PBS's words, then the job's own.
func (t *try) environ(workdir string) ([]string, error) {
	hosts, err := t.hostFile()
	if err != nil {
		return nil, err
	}
	vars := inherited()
	path := vars["PATH"]
	if path == "" {
		path = usualPath
	}
	vars["PATH"] = t.env.Files + ":" + path
	vars["HOME"], vars["TMPDIR"], vars["PWD"] = t.dir, t.dir, workdir
	if vars["LANG"] == "" {
		vars["LANG"] = "C.UTF-8"
	}
	t.capstan(vars, hosts)
	t.slurm(vars, workdir)
	t.pbs(vars, workdir, hosts)
	for k, v := range t.body.Env {
		vars[k] = v
	}
	list := make([]string, 0, len(vars))
	for k, v := range vars {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list, nil
}

// inherited is what the image gives its programs, without what Capstan gives
// its executor.
func inherited() map[string]string {
	vars := map[string]string{}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		own := strings.HasPrefix(name, "CAPSTAN_") && name != "CAPSTAN_EXECUTOR" // by which strays are found
		if !own && name != "GOMEMLIMIT" && name != "GOMAXPROCS" {
			vars[name] = value
		}
	}
	return vars
}

func (t *try) capstan(vars map[string]string, hosts string) {
	p := &t.place
	vars["CAPSTAN_JOB"] = string(p.job)
	vars["CAPSTAN_JOB_NAME"] = p.meta.Name
	vars["CAPSTAN_RANK"] = strconv.Itoa(p.rank)
	vars["CAPSTAN_SIZE"] = strconv.Itoa(t.env.Size)
	vars["CAPSTAN_NODE"] = p.node()
	vars["CAPSTAN_NODES"] = strings.Join(p.nodes, ",")
	vars["CAPSTAN_HOSTFILE"] = hosts
	vars["CAPSTAN_TRY"] = strconv.Itoa(t.number)
	vars["CAPSTAN_SHARED"] = t.env.Shared
	left := p.rank
	for _, r := range t.env.Spec.Gang.Roles {
		if left < r.Size {
			vars["CAPSTAN_ROLE"] = r.Name
			break
		}
		left -= r.Size
	}
	if first, last, step, count, ok := p.array(); ok {
		vars["CAPSTAN_ARRAY_INDEX"], vars["CAPSTAN_ARRAY_COUNT"] = p.index, count
		vars["CAPSTAN_ARRAY_FIRST"], vars["CAPSTAN_ARRAY_LAST"], vars["CAPSTAN_ARRAY_STEP"] = first, last, step
	}
}

// slurm is what scripts for sbatch read.
func (t *try) slurm(vars map[string]string, workdir string) {
	p, slots := &t.place, t.body.Slots
	nodes := p.distinct()
	list, tasks := strings.Join(nodes, ","), strconv.Itoa(t.env.Size*slots)
	id := p.element(func(job, index string) string { return job + "_" + index })
	cpus := strconv.Itoa(max(1, int(t.env.CPU/1000)))
	for name, value := range map[string]string{
		"SLURM_JOB_ID": id, "SLURM_JOBID": id, "SLURM_JOB_NAME": p.meta.Name, "SLURM_JOB_USER": p.meta.User,
		"SLURM_JOB_PARTITION": p.meta.Queue, "SLURM_CLUSTER_NAME": "capstan",
		"SLURM_JOB_NODELIST": list, "SLURM_NODELIST": list, "SLURMD_NODENAME": p.node(),
		"SLURM_JOB_NUM_NODES": strconv.Itoa(len(nodes)), "SLURM_NNODES": strconv.Itoa(len(nodes)),
		"SLURM_NTASKS": tasks, "SLURM_NPROCS": tasks, "SLURM_NTASKS_PER_NODE": strconv.Itoa(slots),
		"SLURM_PROCID": strconv.Itoa(p.rank), "SLURM_NODEID": strconv.Itoa(slices.Index(nodes, p.node())), "SLURM_LOCALID": strconv.Itoa(p.local()),
		"SLURM_CPUS_ON_NODE": cpus, "SLURM_JOB_CPUS_PER_NODE": cpus,
		"SLURM_CPUS_PER_TASK": strconv.Itoa(max(1, int(t.env.CPU/1000)/slots)),
		"SLURM_MEM_PER_NODE":  strconv.FormatInt(int64(t.env.Memory>>20), 10),
		"SLURM_SUBMIT_DIR":    workdir,
	} {
		vars[name] = value
	}
	if n := t.env.Spec.Gang.Generic["gpu"]; n > 0 {
		vars["SLURM_GPUS_ON_NODE"] = itoa(n)
	}
	if first, last, step, count, ok := p.array(); ok {
		vars["SLURM_ARRAY_JOB_ID"], vars["SLURM_ARRAY_TASK_ID"], vars["SLURM_ARRAY_TASK_COUNT"] = string(p.job), p.index, count
		vars["SLURM_ARRAY_TASK_MIN"], vars["SLURM_ARRAY_TASK_MAX"], vars["SLURM_ARRAY_TASK_STEP"] = first, last, step
	}
}

// pbs is what scripts for qsub read.
func (t *try) pbs(vars map[string]string, workdir, hosts string) {
	p := &t.place
	for name, value := range map[string]string{
		"PBS_JOBID":   p.element(func(job, index string) string { return job + "[" + index + "]" }),
		"PBS_JOBNAME": p.meta.Name, "PBS_QUEUE": p.meta.Queue, "PBS_O_QUEUE": p.meta.Queue, "PBS_ENVIRONMENT": "PBS_BATCH",
		"PBS_NODEFILE": hosts, "PBS_O_WORKDIR": workdir, "PBS_O_HOME": workdir,
		"PBS_NUM_NODES": strconv.Itoa(len(p.distinct())), "PBS_NUM_PPN": strconv.Itoa(t.body.Slots),
		"PBS_NP": strconv.Itoa(t.env.Size * t.body.Slots), "PBS_NODENUM": strconv.Itoa(p.rank), "PBS_VNODENUM": strconv.Itoa(p.rank),
		"NCPUS": strconv.Itoa(max(1, int(t.env.CPU/1000))),
	} {
		vars[name] = value
	}
	if p.index != "" {
		vars["PBS_ARRAYID"], vars["PBS_ARRAY_INDEX"], vars["PBS_ARRAY_ID"] = p.index, p.index, string(p.job)
	}
}

// hostFile writes the nodes of the gang, by rank, each as often as it has slots.
func (t *try) hostFile() (string, error) {
	var b strings.Builder
	for _, n := range t.place.nodes {
		for range t.body.Slots {
			fmt.Fprintln(&b, n)
		}
	}
	file := filepath.Join(t.dir, "hosts")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return "", core.Errorf(core.Failed, "write the host file: %v", err)
	}
	return file, nil
}
