package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"assay"
	"assay/streams"
)

// process is assay, or another program, running beside the test.
type process struct {
	*exec.Cmd
	mu     sync.Mutex
	said   bytes.Buffer // on standard error
	reader sync.WaitGroup
}

// begin starts a command and returns what follows the marker on the first line of its standard error that has it.
func begin(t testing.TB, cmd *exec.Cmd, marker string) (*process, string) {
	t.Helper()
	p := &process{Cmd: cmd}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	p.reader.Go(func() { p.read(stderr, marker, found) })
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	rest, ok := <-found
	if !ok {
		t.Fatalf("%v: it ended without %q: %s", cmd.Args, marker, &p.said)
	}
	return p, rest
}

// read keeps what the process says and sends what follows the marker. It closes found in any case.
func (p *process) read(stderr io.Reader, marker string, found chan<- string) {
	defer close(found)
	waiting := true
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		p.mu.Lock()
		p.said.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if _, rest, ok := strings.Cut(lines.Text(), marker); ok && waiting {
			found <- rest
			waiting = false
		}
	}
}

// stop asks the process to stop and waits until it has.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM)
	p.reader.Wait()
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %v\n%s", p.Args, err, &p.said)
	}
}

// serve runs assay on a data directory, with its API at url.
func serve(t testing.TB, data string, more ...string) (p *process, url string) {
	t.Helper()
	args := append([]string{"run", "--data", data, "--http-listen", "127.0.0.1:0"}, more...)
	p, rest := begin(t, command(t.Context(), args...), "api=")
	url, _, _ = strings.Cut(rest, " ")
	return p, url
}

// output runs assay to its end and returns what it prints.
func output(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := command(t.Context(), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("assay %v: %v", args, err)
	}
	return out
}

// framesOf reads the log of a data directory that no process uses.
func framesOf(t *testing.T, data string) (frames []*streams.Frame) {
	t.Helper()
	withLog(t, data, func(log *streams.Log) {
		for stored, err := range log.Replay(t.Context(), streams.ReplayOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, stored.Frame)
		}
	})
	return frames
}

// withLog opens the log of a data directory.
func withLog(t *testing.T, data string, do func(log *streams.Log)) {
	t.Helper()
	server, err := streams.StartServer(t.Context(), streams.ServerConfig{DataDir: data, Config: assay.NATSConfig})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	log, err := streams.Open(t.Context(), conn, streams.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	do(log)
}
