package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"assay/consumers/bronze"
	"assay/internal/capture/otlp"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog keeps what is published, or refuses it.
type fakeLog struct {
	mu     sync.Mutex
	frames []*streams.Frame
	err    error
}

func (l *fakeLog) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	l.frames = append(l.frames, frames...)
	return make([]streams.Ack, len(frames)), nil
}

// export is one of a call of a model.
func export() ptraceotlp.ExportRequest {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{2})
	span.SetName("chat m-1")
	span.Attributes().PutStr("gen_ai.operation.name", "chat")
	span.Attributes().PutStr("gen_ai.request.model", "m-1")
	span.Attributes().PutStr("gen_ai.conversation.id", "c-1")
	span.Attributes().PutInt("gen_ai.usage.output_tokens", 7)
	span.Attributes().PutStr("gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]`)
	return ptraceotlp.NewExportRequestFromTraces(traces)
}

func post(t *testing.T, h http.Handler, contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Content-Encoding", encoding)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// tells checks that a frame decodes to the call of the model that export holds.
func tells(t *testing.T, f *streams.Frame) {
	t.Helper()
	for _, e := range bronze.Decode(f, 1) {
		if e.Kind == bronze.KindMessage && e.Text == "hello" && e.WorkflowID == "c-1" && e.OutputTokens == 7 && e.Capability == "m-1" {
			return
		}
	}
	t.Errorf("the answer is not told by %s", f.Body)
}

func TestExportsInEveryEncoding(t *testing.T) {
	asProto, _ := export().MarshalProto()
	asJSON, _ := export().MarshalJSON()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write(asProto)
	_ = zip.Close()
	for name, test := range map[string]struct {
		contentType, encoding, answer string
		body                          []byte
	}{
		"protobuf":         {"application/x-protobuf", "", "", asProto},
		"protobuf, zipped": {"application/x-protobuf", "gzip", "", zipped.Bytes()},
		"JSON":             {"application/json; charset=utf-8", "", "{}", asJSON},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			w := post(t, (&otlp.Receiver{Publisher: log}).Handler(otlp.Traces), test.contentType, test.encoding, test.body)
			if w.Code != http.StatusOK || w.Body.String() != test.answer || len(log.frames) != 1 {
				t.Fatalf("%d %q, %d frames", w.Code, w.Body, len(log.frames))
			}
			if f := log.frames[0]; f.Source != streams.SourceOTLP || f.Workflow != "shop" || f.Count != 1 {
				t.Errorf("%+v", f)
			}
			tells(t, log.frames[0])
		})
	}
}

func TestRefusalsSayWhetherToTryAgain(t *testing.T) {
	body, _ := export().MarshalJSON()
	for name, test := range map[string]struct {
		contentType, body string
		err               error
		status            int
		again             bool
	}{
		"text":        {"text/plain", string(body), nil, http.StatusUnsupportedMediaType, false},
		"no JSON":     {"application/json", "{", nil, http.StatusBadRequest, false},
		"no protobuf": {"application/x-protobuf", "\xff\xff", nil, http.StatusBadRequest, false},
		"a list":      {"application/json", "[]", nil, http.StatusBadRequest, false},
		"too long":    {"application/json", `{"a":"` + strings.Repeat("x", 1<<12) + `"}`, nil, http.StatusRequestEntityTooLarge, false},
		"no log":      {"application/json", string(body), fmt.Errorf("%w: away", streams.ErrUnavailable), http.StatusServiceUnavailable, true},
		"nothing":     {"application/json", "{}", nil, http.StatusOK, false},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{err: test.err}
			w := post(t, (&otlp.Receiver{Publisher: log, Bytes: 1 << 12}).Handler(otlp.Traces), test.contentType, "", []byte(test.body))
			if w.Code != test.status || (w.Header().Get("Retry-After") != "") != test.again || len(log.frames) > 0 {
				t.Errorf("%d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
			}
		})
	}
}

func TestExportsOverGRPC(t *testing.T) {
	log := &fakeLog{}
	server := (&otlp.Receiver{Publisher: log}).GRPC("secret")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Stop(); <-served }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := ptraceotlp.NewGRPCClient(conn)
	if _, err := client.Export(t.Context(), export()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without the token: %v", err)
	}
	if _, err := client.Export(t.Context(), export(), grpc.PerRPCCredentials(token{})); err != nil {
		t.Fatal(err)
	}
	tells(t, log.frames[0])
}

type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer secret"}, nil
}
func (token) RequireTransportSecurity() bool { return false }
