package submit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// Complain tells the user of an error and what to do about it.
func Complain(stderr io.Writer, err error) {
	fmt.Fprintf(stderr, "error: %v\n", err)
	if e := core.AsError(err); e.Remedy != "" {
		fmt.Fprintf(stderr, "  %s\n", e.Remedy)
	}
}

// Self is the path of this program, and the image that its executors need where
// the job asks for image.
func Self(image string) (program, needed string, err error) {
	if program, err = os.Executable(); err != nil || image != "" {
		return program, image, err
	}
	static, err := IsStatic(program)
	if err != nil || static {
		return program, "", err
	}
	// It needs the machine's libraries, which the built-in image lacks.
	return program, "host", nil
}

// URL makes the URL of a path; a URL stays as it is.
func URL(p string) (string, error) {
	if strings.Contains(p, "://") {
		return p, nil
	}
	abs, err := filepath.Abs(p)
	if err != nil {
		return "", err
	}
	return "file://" + strings.ReplaceAll(abs, "%", "%25"), nil
}

// Run runs "capstan run -" over a document and answers its exit code.
func Run(doc []byte, stdout, stderr io.Writer) (int, error) {
	capstan, err := findCapstan(stderr)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(capstan, "run", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(doc), stdout, stderr
	// The terminal's interrupt goes to capstan as well, which knows what to do
	// about it; this process waits for that.
	quiet := make(chan os.Signal, 1)
	signal.Notify(quiet, syscall.SIGINT)
	defer signal.Stop(quiet)
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}
