package capture_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"assay/internal/capture"
	"assay/streams"
)

// A frame arrives over HTTP as it was, and is recognised when it is sent again.
func TestRemoteHandsFramesOver(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	remote := &capture.Remote{URL: server.URL, Client: server.Client()}
	sent := []*streams.Frame{
		{Source: streams.SourceJSONRPC, Workflow: "a/b ü%", ContentType: streams.ContentNDJSON, Stream: "s/1 é\n", Position: 41, Count: 2, Side: streams.SideServer, Body: []byte("{}\n[]\n")},
		{Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: "s", Position: 0, Count: 1, Body: []byte("data: 1\r\n\r\n")},
		{Source: streams.SourceEvent, Workflow: "w", ContentType: streams.ContentJSON, Stream: "s", Position: 9, Count: 2, Body: []byte("[{},\n{}]")},
		{Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: "s", Position: 1, Count: 0, Body: []byte("data: unfinished")},
	}
	for _, f := range sent {
		f.Captured = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	}
	for range 2 {
		acks, err := remote.Publish(context.Background(), sent...)
		if err != nil || len(acks) != len(sent) || acks[3].Seq != 4 {
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
