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
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"assay/consumers/bronze"
	"assay/internal/capture/formats"
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
		"too long":    {"application/json", `{"a":"` + strings.Repeat("x", otlp.ExportBytesMax) + `"}`, nil, http.StatusRequestEntityTooLarge, false},
		"many values": {"application/json", `{"a":[` + strings.Repeat("0,", formats.ValuesMax) + `0]}`, nil, http.StatusBadRequest, false},
		"full":        {"application/json", string(body), fmt.Errorf("%w: of frames", streams.ErrFull), http.StatusTooManyRequests, true},
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

// TestRefusalsAreStatuses shows that an error is told as a Status in the encoding of the export, over gRPC with when to try again.
func TestRefusalsAreStatuses(t *testing.T) {
	log := &fakeLog{err: fmt.Errorf("%w: of frames", streams.ErrFull)}
	receiver := &otlp.Receiver{Publisher: log}
	body, _ := export().MarshalProto()
	w := post(t, receiver.Handler(otlp.Traces), "application/x-protobuf", "", body)
	var told spb.Status
	if err := proto.Unmarshal(w.Body.Bytes(), &told); err != nil || told.GetCode() != int32(codes.ResourceExhausted) || !strings.Contains(told.GetMessage(), "log.max_bytes") {
		t.Errorf("%q: %v", w.Body, err)
	}
	conn := dial(t, receiver.GRPC(""))
	_, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), export())
	refused := status.Convert(err)
	if refused.Code() != codes.ResourceExhausted || len(refused.Details()) != 1 {
		t.Fatalf("%v %v", err, refused.Details())
	}
	if info, ok := refused.Details()[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("%v", refused.Details())
	}
}

// TestWhatCannotBeKeptIsTold shows partial success: what is right of an export is kept, the rest is counted, with the reason.
func TestWhatCannotBeKeptIsTold(t *testing.T) {
	request := export()
	spans := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(0).CopyTo(spans.AppendEmpty())
	spans.At(1).SetSpanID(pcommon.SpanID{})
	spans.At(0).CopyTo(spans.AppendEmpty())
	spans.At(2).SetSpanID(pcommon.SpanID{3})
	spans.At(2).SetName(strings.Repeat("x", 1<<12))
	log := &fakeLog{}
	receiver := &otlp.Receiver{Publisher: log, Bytes: 1 << 12}
	check := func(response ptraceotlp.ExportResponse) {
		t.Helper()
		left := response.PartialSuccess()
		if left.RejectedSpans() != 2 || !strings.Contains(left.ErrorMessage(), "without trace id") || !strings.Contains(left.ErrorMessage(), "4096 bytes") {
			t.Errorf("%d left out: %s", left.RejectedSpans(), left.ErrorMessage())
		}
	}
	asProto, _ := request.MarshalProto()
	w := post(t, receiver.Handler(otlp.Traces), "application/x-protobuf", "", asProto)
	response := ptraceotlp.NewExportResponse()
	if err := response.UnmarshalProto(w.Body.Bytes()); err != nil || w.Code != http.StatusOK {
		t.Fatal(err, w.Code)
	}
	check(response)
	if len(log.frames) != 1 {
		t.Fatalf("%d frames", len(log.frames))
	}
	tells(t, log.frames[0])
	asJSON, _ := request.MarshalJSON()
	w = post(t, receiver.Handler(otlp.Traces), "application/json", "", asJSON)
	if err := response.UnmarshalJSON(w.Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	check(response)
	overGRPC, err := ptraceotlp.NewGRPCClient(dial(t, receiver.GRPC(""))).Export(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	check(overGRPC)
}

// TestLargeExports shows that an export which fits no frame becomes several, each of which says what it is of, and that nothing of
// it is missing.
func TestLargeExports(t *testing.T) {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("session.id", "s-1")
	records := resource.ScopeLogs().AppendEmpty().LogRecords()
	const many = 5000
	for i := range many {
		records.AppendEmpty().Body().SetStr(fmt.Sprintf("line %d", i))
	}
	body, _ := plogotlp.NewExportRequestFromLogs(logs).MarshalJSON()
	log := &fakeLog{}
	if w := post(t, (&otlp.Receiver{Publisher: log, Bytes: 1 << 14}).Handler(otlp.Logs), "application/json", "", body); w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	said := map[string]bool{}
	for _, f := range log.frames {
		if len(f.Body) > 1<<14 {
			t.Errorf("a frame has %d bytes", len(f.Body))
		}
		for _, e := range bronze.Decode(f, 1) {
			if e.WorkflowID != "s-1" {
				t.Fatalf("%+v", e)
			}
			said[e.Payload] = true
		}
	}
	if len(said) != many {
		t.Errorf("%d of %d records are told, in %d frames", len(said), many, len(log.frames))
	}
}

func TestExportsOverGRPC(t *testing.T) {
	log := &fakeLog{}
	conn := dial(t, (&otlp.Receiver{Publisher: log}).GRPC("secret"))
	client := ptraceotlp.NewGRPCClient(conn)
	if _, err := client.Export(t.Context(), export()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without the token: %v", err)
	}
	if _, err := client.Export(t.Context(), export(), grpc.PerRPCCredentials(token{})); err != nil {
		t.Fatal(err)
	}
	tells(t, log.frames[0])
}

// dial serves until the test ends, and connects.
func dial(t *testing.T, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(listen(t, server), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// listen serves until the test ends and returns the address.
func listen(t *testing.T, server *grpc.Server) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return listener.Addr().String()
}

type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer secret"}, nil
}
func (token) RequireTransportSecurity() bool { return false }
