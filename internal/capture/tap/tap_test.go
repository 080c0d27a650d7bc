package tap_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"assay/consumers/bronze"
	"assay/internal/capture/tap"
	"assay/streams"
)

// The test binary plays the servers too: roleVariable tells which one.
const (
	roleVariable    = "TAP_TEST_ROLE"
	journalVariable = "TAP_TEST_JOURNAL" // file for what the server reads
)

func TestMain(m *testing.M) {
	roles := map[string]func() int{"mcp": serveMCP, "echo": echo, "acp": serveACP, "wait": waitForSignal, "exit": func() int { return 7 }, "orphan": orphan}
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		os.Exit(role())
	}
	goleak.VerifyTestMain(m)
}

func echo() int {
	_, _ = io.Copy(os.Stdout, os.Stdin)
	return 0
}

// serveACP answers each prompt with two pieces, which name no message.
func serveACP() int {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var prompt struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
			Params struct {
				SessionID string `json:"sessionId"`
			} `json:"params"`
		}
		if err := json.Unmarshal(lines.Bytes(), &prompt); err != nil || prompt.Method != "session/prompt" {
			return 1
		}
		for i := range 2 {
			fmt.Printf(`{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":%q,"update":{"sessionUpdate":"agent_message_chunk",`+
				`"content":{"type":"text","text":"piece %d of %d. "}}}}`+"\n", prompt.Params.SessionID, i, prompt.ID)
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%d,"result":{"stopReason":"end_turn"}}`+"\n", prompt.ID)
	}
	return 0
}

// waitForSignal says when it is ready, and exits with the number of the signal it gets.
func waitForSignal() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	fmt.Println("ready")
	return 100 + int((<-signals).(syscall.Signal))
}

// orphan says something and leaves a child behind that has its output.
func orphan() int {
	child := exec.Command("sleep", "3")
	child.Stdout = os.Stdout
	if err := child.Start(); err != nil {
		return 1
	}
	fmt.Print(`{"id":1}`)
	return 0
}

func serveMCP() int {
	journal, err := os.Create(os.Getenv(journalVariable))
	if err != nil {
		return 1
	}
	defer journal.Close()
	server := mcp.NewServer(&mcp.Implementation{Name: "test"}, nil)
	type input struct {
		Text string `json:"text"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "upper"}, func(ctx context.Context, r *mcp.CallToolRequest, in input) (*mcp.CallToolResult, any, error) {
		if in.Text == "" {
			return nil, nil, errors.New("nothing to do")
		}
		_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: 1})
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.ToUpper(in.Text)}}}, nil, nil
	})
	stdin := struct {
		io.Reader
		io.Closer
	}{io.TeeReader(os.Stdin, journal), os.Stdin}
	if err := server.Run(context.Background(), &mcp.IOTransport{Reader: stdin, Writer: os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 0
}

// fakeLog is a Publisher in memory.
type fakeLog struct {
	mu     sync.Mutex
	frames []*streams.Frame
	gate   func(context.Context) error
}

func (l *fakeLog) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	if l.gate != nil {
		if err := l.gate(ctx); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, frames...)
	return make([]streams.Ack, len(frames)), nil
}

// said joins what a side said, and checks that positions leave no gap.
func (l *fakeLog) said(t *testing.T, side streams.Side) string {
	t.Helper()
	var all bytes.Buffer
	var next uint64
	for _, f := range l.frames {
		if f.Stream == "session/exit" {
			continue
		}
		if f.Position != next || f.Stream != "session" || f.Source != streams.SourceJSONRPC {
			t.Errorf("frame %+v, want position %d", f, next)
		}
		next += uint64(f.Count)
		if f.Side == side {
			all.Write(f.Body)
		}
	}
	return all.String()
}

// session runs a server in a role with a client, which is given the ends of the pipes.
func session(t *testing.T, role string, opts tap.Options, client func(stdin io.WriteCloser, stdout io.ReadCloser)) int {
	t.Helper()
	inReader, inWriter := io.Pipe()
	outReader, outWriter := io.Pipe()
	opts.Command, opts.Env = []string{os.Args[0]}, append(opts.Env, append(os.Environ(), roleVariable+"="+role)...)
	opts.Stdin, opts.Stdout, opts.Stderr = inReader, outWriter, os.Stderr
	opts.Stream, opts.Workflow = "session", "w"
	if opts.Report == nil {
		opts.Report = func(err error) { t.Error(err) }
	}
	var wg sync.WaitGroup
	wg.Go(func() { client(inWriter, outReader) })
	code, err := tap.Run(t.Context(), opts)
	if err != nil {
		t.Error(err)
	}
	_ = outWriter.Close()
	_ = inReader.Close()
	wg.Wait()
	return code
}

// What an agent says in one turn of an ACP session is one message, although its pieces do not say so.
func TestTurnsOfAnACPSession(t *testing.T) {
	log := &fakeLog{}
	session(t, "acp", tap.Options{Publisher: log}, func(stdin io.WriteCloser, stdout io.ReadCloser) {
		defer stdin.Close()
		answers := bufio.NewScanner(stdout)
		for id := range 2 {
			_, _ = fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":%d,"method":"session/prompt","params":{"sessionId":"s-1","prompt":[{"type":"text","text":"ask %d"}]}}`+"\n", id, id)
			for answers.Scan() && !strings.Contains(answers.Text(), "stopReason") {
			}
		}
	})
	said, ended, asked := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, f := range log.frames {
		for _, e := range bronze.Decode(f, 1) {
			switch {
			case e.Kind == bronze.KindTextDelta && e.WorkflowID == "s-1":
				said[e.IntentID] += e.Text
			case e.Kind == bronze.KindMessageEnd && e.WorkflowID == "s-1":
				ended[e.IntentID] = e.FinishReason
			case e.Kind == bronze.KindRPCRequest:
				asked[e.IntentID] = true
			case e.Kind == bronze.KindRPCResponse && !asked[e.IntentID]:
				t.Errorf("%s is answered and was not asked", e.IntentID)
			}
		}
	}
	want := map[string]string{}
	for id := range 2 {
		want[fmt.Sprintf("s-1/turn/%d/assistant", id)] = fmt.Sprintf("piece 0 of %d. piece 1 of %d. ", id, id)
	}
	if !maps.Equal(said, want) || len(ended) != 2 || ended["s-1/turn/0/assistant"] != "end_turn" {
		t.Errorf("said %q, ended %q", said, ended)
	}
}

// The official SDK's client and server do not notice the tap, which records every byte of both.
func TestTapRecordsAnMCPSession(t *testing.T) {
	log := &fakeLog{}
	journal := filepath.Join(t.TempDir(), "journal")
	var sent, received safeBuffer
	opts := tap.Options{Publisher: log, Env: []string{journalVariable + "=" + journal}}
	code := session(t, "mcp", opts, func(stdin io.WriteCloser, stdout io.ReadCloser) {
		defer stdin.Close()
		client := mcp.NewClient(&mcp.Implementation{Name: "client"}, nil)
		transport := &mcp.IOTransport{Reader: tee{stdout, &received}, Writer: teeWriter{stdin, &sent}}
		session, err := client.Connect(context.Background(), transport, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer session.Close()
		if _, err := session.ListTools(context.Background(), nil); err != nil {
			t.Error(err)
		}
		for _, text := range []string{"héllo", strings.Repeat("long ", 50_000)} {
			params := &mcp.CallToolParams{Name: "upper", Arguments: map[string]any{"text": text}}
			params.SetProgressToken("p")
			result, err := session.CallTool(context.Background(), params)
			if err != nil || result.Content[0].(*mcp.TextContent).Text != strings.ToUpper(text) {
				t.Errorf("%v, %v", result, err)
			}
		}
		if _, err := session.CallTool(context.Background(), &mcp.CallToolParams{Name: "missing"}); err == nil {
			t.Error("a missing tool was called")
		}
	})
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	read, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	if sent.String() != string(read) {
		t.Error("the server did not read what the client sent")
	}
	if log.said(t, streams.SideClient) != sent.String() {
		t.Error("what the client sent was recorded otherwise")
	}
	if log.said(t, streams.SideServer) != received.String() {
		t.Error("what the server sent was recorded otherwise")
	}
	if first := log.frames[0]; first.Side != streams.SideClient || log.frames[1].Side != streams.SideServer {
		t.Errorf("the answer is recorded before its request")
	}
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type tee struct {
	io.ReadCloser
	copy io.Writer
}

func (t tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	_, _ = t.copy.Write(p[:n])
	return n, err
}

type teeWriter struct {
	io.WriteCloser
	copy io.Writer
}

func (t teeWriter) Write(p []byte) (int, error) {
	_, _ = t.copy.Write(p)
	return t.WriteCloser.Write(p)
}

// chat sends lines to the echo server and wants each back.
func chat(t *testing.T, n int) func(io.WriteCloser, io.ReadCloser) {
	return func(stdin io.WriteCloser, stdout io.ReadCloser) {
		defer stdin.Close()
		for i := range n {
			line := fmt.Sprintf("{\"id\":%d}\n", i)
			if _, err := io.WriteString(stdin, line); err != nil {
				t.Error(err)
			}
			got := make([]byte, len(line))
			if _, err := io.ReadFull(stdout, got); err != nil || string(got) != line {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

func TestTapGoesOnWhenRecordingFails(t *testing.T) {
	var reported []error
	var mu sync.Mutex
	code := session(t, "echo", tap.Options{
		Publisher: &fakeLog{gate: func(context.Context) error { return streams.ErrFull }},
		Report:    func(err error) { mu.Lock(); reported = append(reported, err); mu.Unlock() },
	}, chat(t, 100))
	if code != 0 || len(reported) != 2 || !errors.Is(reported[0], streams.ErrFull) {
		t.Errorf("exit code %d, reported %v, want ErrFull for the session and for its end", code, reported)
	}
}

func TestTapDoesNotWaitForTheLog(t *testing.T) {
	over := make(chan struct{})
	log := &fakeLog{gate: func(context.Context) error { <-over; return nil }}
	session(t, "echo", tap.Options{Publisher: log}, func(stdin io.WriteCloser, stdout io.ReadCloser) {
		chat(t, 100)(stdin, stdout)
		close(over)
	})
	if a, b := log.said(t, streams.SideClient), log.said(t, streams.SideServer); a != b || strings.Count(a, "\n") != 100 {
		t.Errorf("recorded %q and %q", a, b)
	}
}

func TestTapRecordsWhatIsUnfinished(t *testing.T) {
	log := &fakeLog{}
	session(t, "echo", tap.Options{Publisher: log}, func(stdin io.WriteCloser, stdout io.ReadCloser) {
		_, _ = io.WriteString(stdin, "{}\n{\"half\":")
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
	})
	if a, b := log.said(t, streams.SideClient), log.said(t, streams.SideServer); a != "{}\n{\"half\":" || b != a {
		t.Errorf("recorded %q and %q", a, b)
	}
}

// The last words of a server whose child keeps its output open are of when they were said, not of when the wait for more
// was given up.
func TestTapTimesLastWords(t *testing.T) {
	log := &fakeLog{}
	var heard time.Time
	session(t, "orphan", tap.Options{Publisher: log}, func(stdin io.WriteCloser, stdout io.ReadCloser) {
		_, _ = io.ReadFull(stdout, make([]byte, len(`{"id":1}`)))
		heard = time.Now()
		_, _ = io.Copy(io.Discard, stdout)
		_ = stdin.Close()
	})
	if f := log.frames[0]; string(f.Body) != `{"id":1}` || f.Captured.After(heard) {
		t.Errorf("%s is of %v, and was heard at %v", f.Body, f.Captured, heard)
	}
}

func TestTapPassesTheExitCodeOn(t *testing.T) {
	drain := func(_ io.WriteCloser, stdout io.ReadCloser) { _, _ = io.Copy(io.Discard, stdout) }
	log := &fakeLog{}
	if code := session(t, "exit", tap.Options{Publisher: log}, drain); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if len(log.frames) != 1 || !strings.Contains(string(log.frames[0].Body), `"exit_code":7,"status":"error","error":"exit code 7"`) {
		t.Errorf("recorded %v", log.frames)
	}
	_, err := tap.Run(t.Context(), tap.Options{Command: []string{"/nonexistent"}})
	if !errors.Is(err, tap.ErrStart) {
		t.Errorf("%v, want ErrStart", err)
	}
}

func TestTapPassesSignalsOn(t *testing.T) {
	signals := make(chan os.Signal)
	code := session(t, "wait", tap.Options{Publisher: &fakeLog{}, Signals: signals}, func(_ io.WriteCloser, stdout io.ReadCloser) {
		_, _ = io.ReadFull(stdout, make([]byte, len("ready\n")))
		signals <- syscall.SIGHUP
		_, _ = io.Copy(io.Discard, stdout)
	})
	if code != 100+int(syscall.SIGHUP) {
		t.Errorf("exit code %d", code)
	}
	log := &fakeLog{}
	code = session(t, "wait", tap.Options{Publisher: log, Signals: signals}, func(_ io.WriteCloser, stdout io.ReadCloser) {
		_, _ = io.ReadFull(stdout, make([]byte, len("ready\n")))
		signals <- syscall.SIGKILL
		_, _ = io.Copy(io.Discard, stdout)
	})
	if code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d of a killed server", code)
	}
	if last := string(log.frames[len(log.frames)-1].Body); !strings.Contains(last, `"exit_code":137,"status":"ok"`) {
		t.Errorf("a server that ended as it was told to is recorded as %s", last)
	}
}
