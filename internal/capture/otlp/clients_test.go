package otlp_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"assay/consumers/bronze"
	"assay/internal/capture/otlp"
	"assay/internal/test/program"
	"assay/streams"
)

// busyOnce is a log that is away when it is first asked.
type busyOnce struct {
	fakeLog
	asked int
}

func (l *busyOnce) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	if l.asked++; l.asked == 1 {
		return nil, fmt.Errorf("%w: for a moment", streams.ErrUnavailable)
	}
	return l.fakeLog.Publish(ctx, frames...)
}

// again lets an exporter wait no longer than it is told to.
var again = otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: time.Minute}

// TestOpenTelemetryForGo shows that the SDK's exporters are understood, over HTTP and gRPC, and try again what was refused for the
// moment.
func TestOpenTelemetryForGo(t *testing.T) {
	ctx, taken := t.Context(), &busyOnce{}
	receiver := &otlp.Receiver{Publisher: taken}
	server := httptest.NewServer(receiver.Routes(""))
	defer server.Close()
	overHTTP, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"), otlptracehttp.WithRetry(otlptracehttp.RetryConfig(again)))
	if err != nil {
		t.Fatal(err)
	}
	overGRPC, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(listen(t, receiver.GRPC(""))), otlptracegrpc.WithInsecure(), otlptracegrpc.WithRetry(again))
	if err != nil {
		t.Fatal(err)
	}
	shop := resource.NewSchemaless(attribute.String("service.name", "shop"))
	for name, exporter := range map[string]trace.SpanExporter{"HTTP": overHTTP, "gRPC": overGRPC} {
		taken.asked, taken.frames = 0, nil
		provider := trace.NewTracerProvider(trace.WithSyncer(exporter), trace.WithResource(shop))
		_, span := provider.Tracer("shop").Start(ctx, "chat m-1")
		span.SetAttributes(
			attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.request.model", "m-1"),
			attribute.String("gen_ai.conversation.id", "c-1"), attribute.Int("gen_ai.usage.output_tokens", 7),
			attribute.String("gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]`),
		)
		span.End()
		if err := provider.Shutdown(ctx); err != nil || len(taken.frames) != 1 || taken.asked != 2 {
			t.Fatalf("over %s: %d frames, asked %d times, %v", name, len(taken.frames), taken.asked, err)
		}
		tells(t, taken.frames[0])
	}
	logs, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(server.URL+"/v1/logs"))
	if err != nil {
		t.Fatal(err)
	}
	provider := log.NewLoggerProvider(log.WithProcessor(log.NewSimpleProcessor(logs)), log.WithResource(shop))
	var record otellog.Record
	record.SetBody(attribute.StringValue("the shop is open"))
	provider.Logger("shop").Emit(ctx, record)
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	saysOpen(t, taken.frames[len(taken.frames)-1])
}

func saysOpen(t *testing.T, f *streams.Frame) {
	t.Helper()
	for _, e := range bronze.Decode(f, 1) {
		if e.Kind == bronze.KindLog && strings.Contains(e.Payload, "the shop is open") {
			return
		}
	}
	t.Errorf("the log record is not told by %s", f.Body)
}

// TestOpenTelemetryForPython does the same with the SDK for Python.
func TestOpenTelemetryForPython(t *testing.T) {
	python := program.Python(t, "TEST_OTEL_PYTHON", "import opentelemetry.sdk, opentelemetry.exporter.otlp", "opentelemetry-sdk and opentelemetry-exporter-otlp")
	taken := &fakeLog{}
	receiver := &otlp.Receiver{Publisher: taken}
	server := httptest.NewServer(receiver.Routes(""))
	defer server.Close()
	for _, address := range []string{server.URL, listen(t, receiver.GRPC(""))} {
		taken.frames = nil
		out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "export.py"), address).CombinedOutput()
		if err != nil || len(taken.frames) != 2 {
			t.Fatalf("%s: %d frames, %v: %s", address, len(taken.frames), err, out)
		}
		saysOpen(t, taken.frames[0])
		tells(t, taken.frames[1])
	}
}
