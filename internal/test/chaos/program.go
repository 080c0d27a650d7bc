package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Waits for the program, and what is kept of it.
const (
	startTimeout = 2 * time.Minute
	stopTimeout  = time.Minute
	restartPause = 100 * time.Millisecond // before it is started again after it ended
	lineBytesMax = 1 << 20                // of what it says; a longer line ends the reading
	saidBytesMax = 256 << 10              // of what it says that are kept
)

// servingLine is what the program says once it serves.
const servingLine = "serving; interrupt to stop"

// Program is assay, as a child process that is started again whenever it ends, as a service manager would, until Down.
type Program struct {
	Binary string
	Data   string
	Args   []string            // of assay run, besides the data directory
	Env    []string            // besides the harness's own
	Limit  func(pid int) error // puts the process where its resources are limited; nil: nowhere

	said tail

	mu      sync.Mutex
	keep    bool
	process *os.Process // nil while there is none
	gone    chan struct{}
	armed   []string // environment of the next start only
	starts  int
	ends    map[string]int // how often it ended in which way, Down or not
}

// Up starts the program and returns when it serves. If it ends before that, it is not started again, and the error wraps
// errEnded.
func (p *Program) Up(ctx context.Context) error {
	first := make(chan error, 1)
	p.mu.Lock()
	p.keep, p.gone = true, make(chan struct{})
	p.mu.Unlock()
	go p.attend(first)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case err := <-first:
		return err
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("torture: the program does not serve after %v: %s", startTimeout, p.Said()),
			p.Down(context.WithoutCancel(ctx), syscall.SIGKILL))
	}
}

// Arm gives the next start more environment.
func (p *Program) Arm(env ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = env
}

// Signal sends a signal to the program, if it runs.
func (p *Program) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Signal(s) // it may just have ended
	}
}

// Down ends the program with a signal, and returns when it is gone and will not come back.
func (p *Program) Down(ctx context.Context, s syscall.Signal) error {
	p.mu.Lock()
	p.keep = false
	gone := p.gone
	p.mu.Unlock()
	if gone == nil {
		return nil // it never ran
	}
	p.Signal(s)
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		p.Signal(syscall.SIGQUIT) // so that it says where it hangs
		wait(context.WithoutCancel(ctx), time.Second)
		p.Signal(syscall.SIGKILL)
		<-gone
		return fmt.Errorf("torture: the program had not ended %v after %v: %s", stopTimeout, s, p.Said())
	}
}

// Starts is how often the program was started.
func (p *Program) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// Ends tells in which ways the program ended, and how often.
func (p *Program) Ends() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ways := make([]string, 0, len(p.ends))
	for _, way := range slices.Sorted(maps.Keys(p.ends)) {
		ways = append(ways, fmt.Sprintf("%s ×%d", way, p.ends[way]))
	}
	return strings.Join(ways, ", ")
}

// Said is the last of what the program said on standard error.
func (p *Program) Said() string { return p.said.String() }

// Run runs another command of the program to its end, and returns what it printed and said.
func (p *Program) Run(ctx context.Context, args ...string) (out, said string, status int, err error) {
	cmd := exec.CommandContext(ctx, p.Binary, args...)
	cmd.Env = p.environment(nil)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	if err != nil {
		return "", "", 0, fmt.Errorf("torture: assay %s: %w: %s", args[0], err, &stderr)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), nil
}

func (p *Program) environment(armed []string) []string {
	return append(append(append(os.Environ(), "ASSAY_CONFIG=", "FAULT_POINT="), p.Env...), armed...)
}

// attend keeps the program running. It tells first how the first start went, and returns if that failed.
func (p *Program) attend(first chan<- error) {
	defer close(p.gone)
	for served := false; ; {
		cmd, said, err := p.launch()
		if cmd == nil {
			if err != nil && !served {
				first <- err
			}
			return
		}
		p.read(said, func() {
			if !served {
				served = true
				first <- nil
			}
		})
		err = cmd.Wait()
		p.mu.Lock()
		p.process = nil
		if p.ends == nil {
			p.ends = map[string]int{}
		}
		p.ends[cmd.ProcessState.String()]++
		p.mu.Unlock()
		if !served {
			first <- fmt.Errorf("%w: %w: %s", errEnded, err, p.Said())
			return
		}
		wait(context.Background(), restartPause)
	}
}

// launch starts the process if it is still wanted; else it returns nil.
func (p *Program) launch() (*exec.Cmd, io.Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.keep {
		return nil, nil, nil
	}
	cmd := exec.CommandContext(context.Background(), p.Binary, append([]string{"run", "--data", p.Data}, p.Args...)...)
	cmd.Env = p.environment(p.armed)
	p.armed = nil
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, err
	}
	p.starts++
	p.process = cmd.Process
	if p.Limit != nil {
		if err := p.Limit(cmd.Process.Pid); err != nil {
			p.said.add("torture: not limited: " + err.Error())
			_ = cmd.Process.Kill()
		}
	}
	return cmd, said, nil
}

// read keeps what the process says, and calls serving when it says that.
func (p *Program) read(said io.Reader, serving func()) {
	lines := bufio.NewScanner(said)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		p.said.add(lines.Text())
		if strings.Contains(lines.Text(), servingLine) {
			serving()
		}
	}
	_, _ = io.Copy(io.Discard, said)
}

// tail keeps the last lines.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(append(t.text, line...), '\n')
	if over := len(t.text) - saidBytesMax; over > 0 {
		t.text = bytes.Clone(t.text[over:])
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
