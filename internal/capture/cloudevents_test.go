package capture_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"assay/internal/capture"
	"assay/streams"
)

// The SDK's client sends one event in both modes; what is captured reads back as the same event.
func TestHandlerTakesWhatTheCloudEventsSDKSends(t *testing.T) {
	for name, data := range map[string]struct {
		contentType string
		data        any
	}{
		"json":   {cloudevents.ApplicationJSON, map[string]any{"tool": "grep", "n": 1.0}},
		"text":   {cloudevents.TextPlain, []byte("plain \"text\"\n")},
		"binary": {"application/octet-stream", []byte{0, 0xff, 0x80}},
	} {
		for mode, encoding := range map[string]func(context.Context) context.Context{
			"binary": binding.WithForceBinary, "structured": binding.WithForceStructured,
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				log := &fakeLog{}
				server := serve(t, capture.HandlerOptions{Publisher: log})
				sent := cloudevents.NewEvent()
				sent.SetID("id 1")
				sent.SetSource("/agents/é")
				sent.SetType("com.example.call")
				sent.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
				sent.SetExtension("workflowid", "wf 100%")
				if err := sent.SetData(data.contentType, data.data); err != nil {
					t.Fatal(err)
				}
				client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(server.URL + "/v1/ingest/event/w"))
				if err != nil {
					t.Fatal(err)
				}
				if result := client.Send(encoding(context.Background()), sent); !cloudevents.IsACK(result) {
					t.Fatal(result)
				}
				server.CloseClientConnections()
				f := log.frames[0]
				var got event.Event
				if err := json.Unmarshal(f.Body, &got); err != nil {
					t.Fatalf("%s: %v", f.Body, err)
				}
				if got.Context.String() != sent.Context.String() || !bytes.Equal(got.Data(), sent.Data()) || f.ContentType != streams.ContentJSON || f.Count != 1 {
					t.Errorf("captured\n%s\nfrom\n%s\nas %s", got, sent, f.Body)
				}
			})
		}
	}
}

// A batch, as the SDK renders it, is as many events, each of which reads back as it was sent.
func TestHandlerTakesTheSDKsBatches(t *testing.T) {
	var sent []event.Event
	for i := range 3 {
		e := cloudevents.NewEvent()
		e.SetID(strconv.Itoa(i))
		e.SetSource("/agents/é")
		e.SetType("com.example.call")
		if err := e.SetData(cloudevents.ApplicationJSON, map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, e)
	}
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	request, err := cehttp.NewHTTPRequestFromEvents(t.Context(), server.URL+"/v1/ingest/event/w", sent)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got []event.Event
	if err := json.Unmarshal(joined(log), &got); err != nil || len(got) != len(sent) || log.frames[0].Count != len(sent) {
		t.Fatalf("%s: %v from %s", response.Status, err, joined(log))
	}
	for i := range got {
		if got[i].String() != sent[i].String() {
			t.Errorf("captured\n%s\nfrom\n%s", got[i], sent[i])
		}
	}
}

func TestHandlerRendersBinaryCloudEvents(t *testing.T) {
	for name, test := range map[string]struct{ contentType, data, want string }{
		"json verbatim":    {"application/json", `{ "a":1.0}`, `"datacontenttype":"application/json","id":"1","source":"s","specversion":"1.0","type":"t","data":{ "a":1.0}}`},
		"json, unlabelled": {"", `[1]`, `"id":"1","source":"s","specversion":"1.0","type":"t","data":[1]}`},
		"broken json":      {"application/json", `{`, `"datacontenttype":"application/json","id":"1","source":"s","specversion":"1.0","type":"t","data_base64":"` + base64.StdEncoding.EncodeToString([]byte("{")) + `"}`},
		"text":             {"text/plain", "a\nb", `"datacontenttype":"text/plain","id":"1","source":"s","specversion":"1.0","type":"t","data":"a\nb"}`},
		"no data":          {"", "", `"id":"1","source":"s","specversion":"1.0","type":"t"}`},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			headers := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "s", "Ce-Type", "t"}
			if test.contentType != "" {
				headers = append(headers, "Content-Type", test.contentType)
			}
			if got := post(t, serve(t, capture.HandlerOptions{Publisher: log}), "event/w", strings.NewReader(test.data), headers...); got.Events != 1 {
				t.Fatalf("%+v", got)
			}
			if got := string(log.frames[0].Body); got != "{"+test.want {
				t.Errorf("%s\nwant {%s", got, test.want)
			}
		})
	}
}

// What is no CloudEvent is refused, a quoted value loses its quotes, and a batch of none is nothing.
func TestHandlerIsStrictAboutCloudEvents(t *testing.T) {
	const one, batch = "application/cloudevents+json", "application/cloudevents-batch+json; charset=utf-8"
	for name, c := range map[string]struct {
		body, contentType, subject string
		status, events             int
		want                       string
	}{
		"no source":           {`{"specversion":"1.0","id":"I","type":"t"}`, one, "", 400, 0, ""},
		"an empty id":         {`{"specversion":"1.0","id":"","type":"t","source":"s"}`, one, "", 400, 0, ""},
		"one of a batch":      {`[{"specversion":"1.0","id":"I","type":"t","source":"s"},{}]`, batch, "", 400, 0, ""},
		"no JSON":             {`{`, one, "", 400, 0, ""},
		"an empty batch":      {` [ ] `, batch, "", 200, 0, ""},
		"whole":               {`{"specversion":"1.0","id":"I","type":"t","source":"s"}`, one, "", 200, 1, `"id":"I"`},
		"a subject not UTF-8": {`{}`, "application/json", "%FF%FE", 400, 0, ""},
		"a quoted subject":    {`{}`, "application/json", `"a \"b\" c%20d"`, 200, 1, `"subject":"a \"b\" c d"`},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			headers := []string{"Content-Type", c.contentType}
			if c.subject != "" {
				headers = append(headers, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "s", "Ce-Type", "t", "Ce-Subject", c.subject)
			}
			got := post(t, serve(t, capture.HandlerOptions{Publisher: log}), "event/w", strings.NewReader(c.body), headers...)
			if got.status != c.status || got.Events != c.events || !strings.Contains(string(joined(log)), c.want) || c.events == 0 && len(log.frames) > 0 {
				t.Errorf("%d %+v, stored %s", got.status, got.Answer, joined(log))
			}
		})
	}
}
