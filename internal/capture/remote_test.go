package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"assay/internal/capture"
	"assay/streams"
)

// A frame arrives over HTTP as it was, and is recognised when it is sent again.
func TestRemoteHandsFramesOver(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, Map: "tool=fn"}) // for others: what is handed over keeps its own
	remote := &capture.Remote{URL: server.URL, Client: server.Client()}
	sent := []*streams.Frame{
		{Source: streams.SourceJSONRPC, Workflow: "a/b ü%", ContentType: streams.ContentNDJSON, Stream: "s/1 é\n", Position: 41, Count: 2, Side: streams.SideServer, Body: []byte("{}\n[]\n")},
		{Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: "s", Position: 0, Count: 1, Body: []byte("data: 1\r\n\r\n")},
		{Source: streams.SourceEvent, Workflow: "w", ContentType: streams.ContentJSON, Stream: "s", Position: 9, Count: 2, Body: []byte("[{},\n{}]")},
		{Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: "s", Position: 1, Count: 0, Body: []byte("data: unfinished")},
	}
	for _, f := range sent {
		f.Captured, f.Exchange = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), "x/é"
	}
	sent[2].Map = "intent=call_id" // one of the user's own events
	for range 2 {                  // together
		acks, err := remote.Publish(context.Background(), sent...)
		if err != nil || len(acks) != len(sent) || acks[3].Seq != 4 {
			t.Fatalf("%v, %v", acks, err)
		}
	}
	for i, f := range sent { // one by one
		acks, err := remote.Publish(context.Background(), f)
		if err != nil || len(acks) != 1 || acks[0].Seq != uint64(i+1) {
			t.Fatalf("%v, %v", acks, err)
		}
	}
	if len(log.frames) != len(sent) {
		t.Fatalf("%d frames, want %d", len(log.frames), len(sent))
	}
	for i, f := range log.frames {
		if !reflect.DeepEqual(f, sent[i]) {
			t.Errorf("got  %+v\nwant %+v", f, sent[i])
		}
	}
}

// Many frames share a request, and of those that are refused in part the sender learns how many are in the log.
func TestRemoteSendsManyFramesAtATime(t *testing.T) {
	log := &fakeLog{}
	requests := 0
	handler := capture.NewHandler(capture.HandlerOptions{Publisher: log, Shed: func() float64 { return 0.5 }})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests++; handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	remote := &capture.Remote{URL: server.URL, Client: server.Client()}
	var sent []*streams.Frame
	for i := range 1000 {
		sent = append(sent, &streams.Frame{
			Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: "s", Position: uint64(i), Count: 1, Body: []byte("data: 1\n\n"),
		})
	}
	if acks, err := remote.Publish(context.Background(), sent...); err != nil || len(acks) != 1000 || requests > 10 {
		t.Errorf("%d acknowledged in %d requests, %v", len(acks), requests, err)
	}
	if len(log.frames) != 1000 || log.frames[999].Shed != 0.5 {
		t.Errorf("%d frames, %+v", len(log.frames), log.frames[len(log.frames)-1])
	}
	sent[700].ContentType = "image/png"
	acks, err := remote.Publish(context.Background(), sent...)
	if !errors.Is(err, capture.ErrRefused) || len(acks) > 700 {
		t.Errorf("%d acknowledged, %v", len(acks), err)
	}
}

// A body of frames that is none is refused with the reason, whatever it announces.
func FuzzFramesInOneBody(f *testing.F) {
	one, err := capture.AppendFrame(nil, &streams.Frame{
		Source: streams.SourceEvent, Workflow: "w", ContentType: streams.ContentJSON, Stream: "s", Count: 1, Body: []byte("{}"),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{byte(len(one)), byte(len(one) >> 8), 0, 0}, one...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{2, 0, 0, 0, '{', '}'})
	f.Add([]byte{3, 0, 0, 0, '{', '}', '\n', 1})
	handler := capture.NewHandler(capture.HandlerOptions{Publisher: &fakeLog{}})
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/v1/ingest", bytes.NewReader(body)))
		if answer.Code >= 500 {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	})
}

// A file that is captured again into a server leaves nothing there, however it was cut and however long ago it was.
func TestRemoteTellsWhatTheServerHas(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, Stored: log.stored, Limits: capture.Limits{FrameBytes: 1 << 10}})
	dir := tree(t, map[string]string{"ü %?&.ndjson": lines(500, 100), "b.sse": "data: 1\n\ndata: unfinished"})
	remote := &capture.Remote{URL: server.URL, Client: server.Client()}
	files := &capture.Files{Publisher: remote, Stored: remote.Stored}
	first, _ := captureFiles(t, files, dir)
	frames := len(log.frames)
	log.seen = nil // as when the log no longer knows what it has got lately
	again, problems := captureFiles(t, files, dir)
	if len(problems) > 0 || again.Events != first.Events || again.Stored != again.Frames || len(log.frames) != frames {
		t.Errorf("%+v, then %+v, %v; %d frames, then %d", first, again, problems, frames, len(log.frames))
	}
}

func TestRemoteAsksForManyStreams(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, Stored: log.stored})
	remote := &capture.Remote{URL: server.URL, Client: server.Client()}
	var names []string
	for i := range 100 {
		f := &streams.Frame{Source: streams.SourceSSE, Workflow: "w", Stream: fmt.Sprintf("%01000d", i), Count: 1, Body: []byte("data: 1\n\n")}
		if _, err := log.Publish(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Stream)
	}
	found, err := remote.Stored(context.Background(), streams.Subject(streams.SourceSSE, "w"), names...)
	want, _ := log.stored(context.Background(), "", names...)
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%d streams, %v", len(found), err)
	}
}

func TestRemoteStoredFails(t *testing.T) {
	brokenOff := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"stream":"s","id":"s/0/x","position":0,"count":1,"sequence":1}`+"\n")
	}))
	defer brokenOff.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	for _, server := range []string{brokenOff.URL, elsewhere.URL, "http://127.0.0.1:1"} {
		remote := &capture.Remote{URL: server, Client: http.DefaultClient}
		if found, err := remote.Stored(context.Background(), "bronze.sse.w", "s"); !errors.Is(err, capture.ErrRemote) {
			t.Errorf("%s: %v, %v", server, found, err)
		}
	}
}

func TestRemoteTellsRefusalFromFailure(t *testing.T) {
	frame := &streams.Frame{Source: streams.SourceEvent, Workflow: "w", ContentType: streams.ContentNDJSON, Stream: "s", Body: []byte("{}\n")}
	full := serve(t, capture.HandlerOptions{Publisher: &fakeLog{gate: func(context.Context) error { return streams.ErrFull }}})
	small := serve(t, capture.HandlerOptions{Publisher: &fakeLog{}, Limits: capture.Limits{EventBytes: 1}})
	for name, test := range map[string]struct {
		url  string
		want error
	}{
		"log full":    {full.URL, capture.ErrRemote},
		"event large": {small.URL, capture.ErrRefused},
		"no server":   {"http://127.0.0.1:1", capture.ErrRemote},
		"no URL":      {"::", capture.ErrRemote},
	} {
		remote := &capture.Remote{URL: test.url, Client: http.DefaultClient}
		if _, err := remote.Publish(context.Background(), frame); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
