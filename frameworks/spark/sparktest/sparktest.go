// Package sparktest is a distribution that looks like Spark to whoever runs an
// application on it, for tests on machines without Java: its programs say on
// their pages what Spark says, and its applications are lines of orders.
//
//	say WORDS       on stdout, with the arguments
//	complain WORDS  on stderr
//	leave NAME      a file among the results
//	once FILE       what follows is for the first run only, which makes FILE
//	tell FIFO       whoever reads the named pipe
//	wait            until told to end
//	exit CODE
package sparktest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// variable tells the test's binary which program it is.
const variable = "FAKESPARK"

// Distribution makes one in a folder of the test's. Its programs are copies of the
// test's own binary, whose TestMain calls BeIfChild.
func Distribution(t testing.TB) string {
	t.Helper()
	home := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o755); err != nil { // containers are somebody else
		t.Fatal(err)
	}
	fake := filepath.Join(home, "bin", "fake")
	write(t, fake, 0o755, string(binary))
	for _, name := range []string{"spark-class", "spark-submit"} {
		write(t, filepath.Join(home, "bin", name), 0o755, "#!/bin/sh\n"+variable+"="+name+" exec "+fake+` "$@"`+"\n")
	}
	write(t, filepath.Join(home, "jars", "spark-core_2.13-9.9.9.jar"), 0o644, "")
	return home
}

func write(t testing.TB, path string, mode os.FileMode, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// BeIfChild is the distribution's program if this process was started as one; then
// it does not return.
func BeIfChild() {
	program := os.Getenv(variable)
	if program == "" {
		return
	}
	if err := spark(program, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

func spark(program string, args []string) error {
	secret, events, err := configuration()
	if err != nil {
		return err
	}
	switch {
	case program == "spark-submit":
		return submit(args, secret, events)
	case strings.HasSuffix(args[0], ".Master"):
		return master(args[1:], secret)
	case strings.HasSuffix(args[0], ".Worker"):
		return worker(args[1:], secret)
	}
	return fmt.Errorf("no class %s", args[0])
}

func configuration() (secret, events string, err error) {
	b, err := os.ReadFile(filepath.Join(os.Getenv("SPARK_CONF_DIR"), "spark-defaults.conf"))
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "spark.authenticate.secret":
			secret = value
		case "spark.eventLog.dir":
			events = strings.TrimPrefix(value, "file:")
		}
	}
	return secret, events, nil
}

func option(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// master keeps a list of those that are connected to it and know the secret.
func master(args []string, secret string) error {
	l, err := net.Listen("tcp", net.JoinHostPort(option(args, "--host"), option(args, "--port")))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	workers := []map[string]any{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line, _ := bufio.NewReader(c).ReadString('\n')
				f := strings.Fields(line)
				if len(f) != 3 || f[0] != secret {
					return
				}
				port, _ := strconv.Atoi(f[2])
				mu.Lock()
				workers = append(workers, map[string]any{"host": f[1], "port": port, "state": "ALIVE"})
				mu.Unlock()
			}()
		}
	}()
	return http.ListenAndServe(net.JoinHostPort(option(args, "--host"), option(args, "--webui-port")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "ALIVE", "workers": workers})
	}))
}

func worker(args []string, secret string) error {
	fmt.Fprintln(os.Stderr, "26/11/24 01:00:00 INFO Worker: starts")
	c, err := net.Dial("tcp", strings.TrimPrefix(args[len(args)-1], "spark://"))
	if err != nil {
		return err
	}
	fmt.Fprintln(c, secret, option(args, "--host"), option(args, "--port"))
	return untilTold()
}

// untilTold waits for SIGTERM.
func untilTold() error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	return errors.New("told to end")
}

// submit runs an application: its lines are orders.
func submit(args []string, secret, events string) error {
	at := slices.IndexFunc(args, func(a string) bool { return strings.HasSuffix(a, ".py") })
	orders, err := os.ReadFile(args[at])
	if err != nil {
		return err
	}
	log := `{"Event":"SparkListenerApplicationStart","App Name":"x","App ID":"app-1"}
{"Event":"SparkListenerStageSubmitted","Stage Info":{"Stage ID":0,"Stage Name":"count at ` + args[at] + `:1","Number of Tasks":2}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Task End Reason":{"Reason":"Success"}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Task End Reason":{"Reason":"ExecutorLostFailure"}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Task End Reason":{"Reason":"Success"}}
`
	if err := os.WriteFile(filepath.Join(events, "app-1"), []byte(log), 0o644); err != nil {
		return err
	}
	for line := range strings.Lines(string(orders)) {
		order, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch order {
		case "say":
			fmt.Println(rest, strings.Join(args[at+1:], " "))
		case "complain":
			fmt.Fprintln(os.Stderr, "26/11/24 01:00:00 INFO Nothing: of interest")
			fmt.Fprintln(os.Stderr, rest)
		case "leave":
			if err := os.WriteFile(filepath.Join(os.Getenv("CAPSTAN_RESULTS"), rest), []byte("left"), 0o644); err != nil {
				return err
			}
		case "exit":
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		case "wait": // for ever
			return untilTold()
		case "tell": // whoever reads a named pipe
			if err := os.WriteFile(rest, []byte("here\n"), 0o644); err != nil {
				return err
			}
		case "once": // what follows is for the first run only
			if _, err := os.Stat(rest); err == nil {
				return nil
			}
			if err := os.WriteFile(rest, nil, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
