package capture_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assay/internal/capture"
	"assay/streams"
)

// announced is a fakeLog that says when it has stored something.
func announced() (*fakeLog, chan struct{}) {
	published := make(chan struct{}, 100)
	return &fakeLog{gate: func(context.Context) error { published <- struct{}{}; return nil }}, published
}

func TestLiveReaderCapturesAsItComes(t *testing.T) {
	log, published := announced()
	live := &capture.Live{Publisher: log, Stored: log.stored}
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, `{"jsonrpc":"2.0","id":1}`+"\n")
		<-published
		_, _ = io.WriteString(writer, `{"jsonrpc":"2.0","id":2}`)
		_ = writer.Close()
	}()
	result, err := live.Reader(context.Background(), capture.Input{Path: "-", Stream: "s", Workflow: "w"}, reader)
	if err != nil || result.Events != 2 || log.frames[0].Source != streams.SourceJSONRPC {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestLiveReaderEndsWithItsContext(t *testing.T) {
	log, published := announced()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	defer writer.Close()
	go func() {
		_, _ = io.WriteString(writer, "what is this\nhalf a line")
		<-published
		cancel()
	}()
	result, err := (&capture.Live{Publisher: log}).Reader(ctx, capture.Input{Path: "-", Stream: "s"}, reader)
	if err != nil || result.Events != 1 || string(joined(log)) != "what is this\n" {
		t.Errorf("%+v, %v, %q", result, err, joined(log))
	}
}

func TestLiveReaderOfNothing(t *testing.T) {
	if result, err := (&capture.Live{Publisher: &fakeLog{}}).Reader(context.Background(), capture.Input{}, strings.NewReader("")); err != nil || result.Frames != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestLiveFollowsAGrowingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ndjson")
	write := func(s string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"type":"a"}` + "\n" + `{"type":`)
	log, published := announced()
	live := &capture.Live{Publisher: log, Stored: log.stored}
	in := capture.Input{Path: path, Stream: "s", Workflow: "w"}
	follow := func(steps func()) (capture.Result, error) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { steps(); cancel() }()
		return live.Follow(ctx, in)
	}
	result, err := follow(func() {
		<-published
		write(`"b"}` + "\n")
		<-published
		write("half")
	})
	if err != nil || result.Events != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	// Followed again it goes on where it was.
	result, err = follow(func() { write(" a line\n"); <-published })
	if err != nil || result.Events != 3 || result.Stored != 2 {
		t.Errorf("again: %+v, %v", result, err)
	}
	if got, _ := os.ReadFile(path); string(body(t, log.frames)) != string(got) {
		t.Errorf("captured %q of %q", joined(log), got)
	}
}

// A followed file may be moved away or emptied: what it held is captured to its end, and each new content is a stream of
// its own, also for those who come later.
func TestLiveFollowsRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ndjson")
	log, published := announced()
	live := &capture.Live{Publisher: log, Stored: log.stored}
	in := capture.Input{Path: path, Stream: "s", Workflow: "w"}
	do := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	follow := func(steps func()) capture.Result {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { steps(); cancel() }()
		result, err := live.Follow(ctx, in)
		do(err)
		return result
	}
	event := func(name string) string { return `{"type":"` + name + `"}` + "\n" }
	do(os.WriteFile(path, []byte(event("head")+event("a")), 0o644))
	result := follow(func() {
		<-published
		old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
		do(err)
		do(os.Rename(path, path+".1"))
		_, err = old.WriteString(event("late")) // by a writer who has not noticed yet
		do(errors.Join(err, old.Close()))
		do(os.WriteFile(path, []byte(event("head")), 0o644))
		<-published
		<-published
		do(os.WriteFile(path, nil, 0o644)) // truncated
		do(os.WriteFile(path, []byte("{}\n"), 0o644))
		<-published
	})
	if result.Events != 5 {
		t.Errorf("%+v", result)
	}
	// Followed again, it goes on in the last stream; replaced meanwhile, in a new one.
	appendTo := func(s string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
		do(err)
		_, err = f.WriteString(s)
		do(errors.Join(err, f.Close()))
	}
	follow(func() { appendTo(event("more")); <-published })
	do(os.WriteFile(path, []byte(event("new")), 0o644))
	follow(func() { <-published })
	for stream, want := range map[string]string{
		"s": event("head") + event("a") + event("late"), "s~2": event("head"), "s~3": "{}\n" + event("more"), "s~4": event("new"),
	} {
		if got := string(body(t, log.stream(stream))); got != want {
			t.Errorf("%s holds %q, want %q", stream, got, want)
		}
	}
}

// script answers requests one after the other.
type script struct {
	requests []*http.Request
	times    []time.Time
	answers  []func() (*http.Response, error)
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests, s.times = append(s.requests, r), append(s.times, time.Now())
	return s.answers[len(s.requests)-1]()
}

func answer(status int, contentType, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		h := http.Header{"Content-Type": {contentType}}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// A followed URL is connected to again as EventSource does.
func TestLiveFollowsAURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: []func() (*http.Response, error){
			answer(200, "text/event-stream", "retry: 5000\nid: 1\ndata: a\n\nid: 2\ndata: cut o"),
			func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
			answer(503, "", "", "Retry-After", "20"),
			answer(200, "text/event-stream; charset=utf-8", ": hello\n\nid: 2\ndata: b\n\n"),
			answer(204, "", ""),
		}}
		log := &fakeLog{}
		lost := 0
		live := &capture.Live{Publisher: log, Stored: log.stored, Problem: func(capture.Problem) { lost++ }}
		in, err := capture.URLInput("https://user:secret@example.com/events?key=secret")
		if err != nil || in.Stream != "https://example.com/events" || in.Workflow != "example.com/events" {
			t.Fatalf("%+v, %v", in, err)
		}
		client := &http.Client{Transport: server}
		result, err := live.URL(t.Context(), client, in)
		if err != nil || result.Events != 2 || lost != 2 {
			t.Fatalf("%+v, %v, %d connections lost", result, err, lost)
		}
		if want := "retry: 5000\nid: 1\ndata: a\n\n: hello\n\nid: 2\ndata: b\n\n"; string(joined(log)) != want {
			t.Errorf("captured %q", joined(log))
		}
		for i, want := range []string{"", "1", "1", "1", "2"} {
			if got := server.requests[i].Header.Get("Last-Event-ID"); got != want {
				t.Errorf("request %d: Last-Event-ID %q, want %q", i, got, want)
			}
		}
		if waited := server.times[1].Sub(server.times[0]); waited != 5*time.Second {
			t.Errorf("waited %v, want what the stream asked for", waited)
		}
		if waited := server.times[3].Sub(server.times[2]); waited < 20*time.Second {
			t.Errorf("waited %v, want at least what the server asked for", waited)
		}
		// Captured once more, its events go behind the others.
		server.answers = append(server.answers, answer(200, "text/event-stream", "data: c\n\n"), answer(204, "", ""))
		if result, err := live.URL(t.Context(), client, in); err != nil || result.First != 2 || result.Next != 3 {
			t.Errorf("again: %+v, %v", result, err)
		}
	})
}

func TestLiveGivesUpOnAURLThatIsNone(t *testing.T) {
	for _, refusal := range []func() (*http.Response, error){answer(404, "", ""), answer(200, "text/html", "<p>")} {
		client := &http.Client{Transport: &script{answers: []func() (*http.Response, error){refusal}}}
		if _, err := (&capture.Live{Publisher: &fakeLog{}}).URL(context.Background(), client, capture.Input{Path: "http://x/"}); !errors.Is(err, capture.ErrURL) {
			t.Errorf("%v, want ErrURL", err)
		}
	}
	for _, bad := range []string{"ftp://x/", "x", "http://"} {
		if _, err := capture.URLInput(bad); !errors.Is(err, capture.ErrNotInput) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
