package bsp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/frameworks/bsp/framework"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/dataset/submit"
)

// Main is the main function of a program that is a job. It does not return.
//
// Started by a user it submits the job and follows it: arguments are the
// input's URLs or paths, and flags, which -help lists. The exit code is that
// of "capstan run". Started in an executor it works.
func Main(job Job) {
	if len(os.Args) > 1 && os.Args[1] == "executor" {
		os.Exit(serve(job))
	}
	d := &driver{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	os.Exit(d.run(job, os.Args[1:]))
}

// serve is the executor's side.
func serve(job Job) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := executor.Run(ctx, []core.Framework{framework.New(job.Functions())})
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	var panicked *executor.PanicError
	if errors.As(err, &panicked) {
		os.Stderr.Write(panicked.Stack)
		return 2
	}
	return core.KindOf(err).ExitCode()
}

// driver submits a job for the user before the terminal.
type driver struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	name           string // of the submitted job; that of the function stays
}

func (d *driver) run(job Job, args []string) int {
	printOnly, err := d.arguments(&job, args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = job.Validate()
	}
	var doc []byte
	if err == nil {
		doc, err = d.document(&job)
	}
	if err == nil && printOnly {
		_, err = d.stdout.Write(doc)
		if err == nil {
			return 0
		}
	}
	var code int
	if err == nil {
		code, err = submit.Run(doc, d.stdout, d.stderr)
	}
	if err != nil {
		submit.Complain(d.stderr, err)
		return core.KindOf(err).ExitCode()
	}
	return code
}

// arguments puts what the user asks for into the job. Flags may stand before,
// between and after the inputs.
func (d *driver) arguments(job *Job, args []string) (printOnly bool, err error) {
	f := flag.NewFlagSet(job.Name, flag.ContinueOnError)
	f.SetOutput(d.stderr)
	f.Usage = func() {
		fmt.Fprintf(d.stderr, "usage: %s [flags] [INPUT...]\n\nINPUT is a URL (file:///folder/*.txt, s3://bucket/key) or a path.\n\n", job.Name)
		f.PrintDefaults()
	}
	f.BoolVar(&printOnly, "spec", false, "print the job's document and do not submit it")
	f.StringVar(&d.name, "name", job.Name, "name of the job")
	f.StringVar(&job.Output.Path, "output", job.Output.Path, "`URL` of the result's folder (default s3://results/NAME-TIME)")
	f.StringVar(&job.Output.Format, "output-format", job.Output.Format, "text, csv, json, parquet or arrow")
	f.StringVar(&job.Input.Format, "format", job.Input.Format, "of the input: text, csv, json, parquet or arrow")
	f.IntVar(&job.Gang.Size, "size", job.Gang.Size, "number of executors")
	f.Func("cpu", "cores of each executor, such as 2 or 500m", func(s string) (err error) {
		job.Gang.CPU, err = core.ParseCPU(s)
		return err
	})
	f.Func("memory", "memory of each executor, such as 512Mi", func(s string) (err error) {
		job.Gang.Memory, err = core.ParseBytes(s)
		return err
	})
	f.StringVar(&job.Gang.Image, "image", job.Gang.Image, "container image of the executors")
	f.Func("every", "supersteps between checkpoints (0: none)", func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		job.Checkpoint.Every = &n
		return err
	})
	f.Func("preview", "rows to show at the end (0: none)", func(s string) error {
		n, err := strconv.Atoi(s)
		job.Preview = &spec.Preview{Limit: n}
		return err
	})
	if job.Preview == nil {
		job.Preview = &spec.Preview{Limit: spec.DefaultPreview}
	}
	var paths []string
	for first := true; len(args) > 0; first = false {
		if first && args[0] == "--" { // go run ./program -- INPUT passes it on
			args = args[1:]
			continue
		}
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return false, err
			}
			return false, core.Errorf(core.Invalid, "%v", err).Do("-help lists the flags")
		}
		if args = f.Args(); len(args) > 0 {
			paths = append(paths, args[0])
			args = args[1:]
		}
	}
	if len(paths) > 0 {
		job.Input.Path = paths
	}
	if job.Preview.Limit <= 0 {
		job.Preview = nil
	}
	return printOnly, nil
}

// document fills in what depends on this machine and moment.
func (d *driver) document(job *Job) ([]byte, error) {
	var err error
	for i, p := range job.Input.Path {
		if job.Input.Path[i], err = submit.URL(p); err != nil {
			return nil, err
		}
	}
	if job.Output.Path == "" {
		job.Output.Path = fmt.Sprintf("s3://results/%s-%s", d.name, d.now().Format("20060102-150405"))
	} else if job.Output.Path, err = submit.URL(job.Output.Path); err != nil {
		return nil, err
	}
	program, image, err := submit.Self(job.Gang.Image)
	if err != nil {
		return nil, err
	}
	job.Gang.Image = image
	return job.document(d.name, program)
}
