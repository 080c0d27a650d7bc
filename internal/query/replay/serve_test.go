package replay_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"assay/internal/query/replay"
	"assay/streams"
	"assay/streams/streamstest"
)

// ingestFile captures one file of the given name and content.
func ingestFile(t *testing.T, log *streams.Log, name, content string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ingest(t, log, name)
}

func TestServeOffersARecording(t *testing.T) {
	log := streamstest.NewLog(t)
	const body = "id: 1\r\ndata: {\"a\":1}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n"
	ingestFile(t, log, "a.sse", body)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(testContext(t))
	served := make(chan error, 1)
	go func() { served <- replay.Serve(ctx, listener, log, replay.Selection{Stream: "a.sse"}) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 2 { // every client gets it from the beginning
		answer, err := client.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err != nil || string(got) != body || answer.Header.Get("Content-Type") != streams.ContentSSE {
			t.Errorf("%q, %v, %v", got, answer.Header, err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAnswersAreThoseOfTheRecording(t *testing.T) {
	log := streamstest.NewLog(t)
	ingestFile(t, log, "session.ndjson", strings.Join([]string{
		`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"clientInfo":{"name":"a"}}}`,
		`{"jsonrpc":"2.0","id":0,"result":{"serverInfo":{"name":"s"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"a":1,"b":2}}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"one"}]}}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"count","arguments":{"a":1,"b":2}}}`,
		`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"two"}]}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"fail"}}`,
		`{"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"no such tool"}}`,
		"",
	}, "\n"))
	answers, err := replay.Recorded(testContext(t), log, replay.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	questions := strings.Join([]string{
		`{"jsonrpc":"2.0","id":"x","method":"initialize","params":{"clientInfo":{"name":"another"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":{"b":2,"a":1},"name":"count","_meta":{"progressToken":1}}}`,
		`{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"count","arguments":{"a":1,"b":2}}}`,
		`{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"count","arguments":{"a":1,"b":2}}}`,
		`{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":"fail"}}`,
		`{"jsonrpc":"2.0","id":11,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":12,"method":"resources/list"}`,
	}, "\n")
	want := strings.Join([]string{
		`{"jsonrpc":"2.0","id":"x","result":{"serverInfo":{"name":"s"}}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"one"}]}}`,
		`{"jsonrpc":"2.0","id":8,"result":{"content":[{"type":"text","text":"two"}]}}`,
		`{"jsonrpc":"2.0","id":9,"result":{"content":[{"type":"text","text":"two"}]}}`,
		`{"jsonrpc":"2.0","id":10,"error":{"code":-32602,"message":"no such tool"}}`,
		`{"jsonrpc":"2.0","id":11,"result":{}}`,
		`{"jsonrpc":"2.0","id":12,"error":{"code":-32601,"message":"resources/list is not in the recording"}}`,
		"",
	}, "\n")
	var got bytes.Buffer
	if err := answers.Serve(testContext(t), strings.NewReader(questions), &got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
