package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Place is where a script runs: what Hadoop Streaming tells in the environment.
type Place struct {
	Job    core.JobID
	Epoch  core.Epoch
	Map    bool
	Task   int
	Try    int
	Reduce int // number of partitions: what a script knows as reduce tasks
	// The first file of a map task's split.
	InputFile          string
	InputStart, Length int64
	InputPaths         []string // spec.input.path
	Output             string   // spec.output.path
	Separator          string   // of map output
	KeyFields          int
	Scratch            string   // a directory of the task's own
	Path               []string // directories searched before the usual ones
}

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environ is the whole environment of a script at p: the names of Hadoop 2,
// then those of Hadoop 1 that scripts still read, then extra, sorted by name.
func Environ(p Place, extra map[string]string) []string {
	phase := "r"
	if p.Map {
		phase = "m"
	}
	job := fmt.Sprintf("job_%s_%04d", p.Job, p.Epoch)
	tip := fmt.Sprintf("task_%s_%04d_%s_%06d", p.Job, p.Epoch, phase, p.Task)
	attempt := fmt.Sprintf("attempt_%s_%04d_%s_%06d_%d", p.Job, p.Epoch, phase, p.Task, p.Try)
	partition, reduces := strconv.Itoa(p.Task), strconv.Itoa(p.Reduce)
	vars := map[string]string{
		"PATH":   strings.Join(append(slices.Clone(p.Path), usualPath), ":"),
		"HOME":   p.Scratch,
		"TMPDIR": p.Scratch,
		"PWD":    p.Scratch,
		"LANG":   "C.UTF-8",

		"mapreduce_job_id":                            job,
		"mapreduce_job_name":                          string(p.Job),
		"mapreduce_task_id":                           tip,
		"mapreduce_task_attempt_id":                   attempt,
		"mapreduce_task_partition":                    partition,
		"mapreduce_task_ismap":                        strconv.FormatBool(p.Map),
		"mapreduce_job_reduces":                       reduces,
		"mapreduce_input_fileinputformat_inputdir":    strings.Join(p.InputPaths, ","),
		"mapreduce_output_fileoutputformat_outputdir": p.Output,
		"stream_map_output_field_separator":           p.Separator,
		"stream_num_map_output_key_fields":            strconv.Itoa(p.KeyFields),
		"stream_map_input_ignoreKey":                  "true",
		"mapreduce_map_output_key_field_separator":    p.Separator,

		"mapred_job_id":         job,
		"mapred_job_name":       string(p.Job),
		"mapred_tip_id":         tip,
		"mapred_task_id":        attempt,
		"mapred_task_partition": partition,
		"mapred_task_is_map":    strconv.FormatBool(p.Map),
		"mapred_reduce_tasks":   reduces,
		"mapred_input_dir":      strings.Join(p.InputPaths, ","),
		"mapred_output_dir":     p.Output,

		"CAPSTAN_JOB":  string(p.Job),
		"CAPSTAN_TASK": fmt.Sprintf("%s-%05d", map[bool]string{true: "map", false: "reduce"}[p.Map], p.Task),
		"CAPSTAN_TRY":  strconv.Itoa(p.Try),
	}
	if p.Map {
		vars["mapreduce_map_input_file"], vars["map_input_file"] = p.InputFile, p.InputFile
		vars["mapreduce_map_input_start"], vars["map_input_start"] = itoa(p.InputStart), itoa(p.InputStart)
		vars["mapreduce_map_input_length"], vars["map_input_length"] = itoa(p.Length), itoa(p.Length)
	}
	for k, v := range extra {
		vars[k] = v
	}
	list := make([]string, 0, len(vars))
	for k, v := range vars {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
