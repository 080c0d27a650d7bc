"""Exports a call of a model, as a span and as a log record, over HTTP (http://host:port) or gRPC (host:port)."""

import logging
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

address = sys.argv[1]
if address.startswith("http"):
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    spans, logs = OTLPSpanExporter(endpoint=address + "/v1/traces"), OTLPLogExporter(endpoint=address + "/v1/logs")
else:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    spans, logs = OTLPSpanExporter(endpoint=address, insecure=True), OTLPLogExporter(endpoint=address, insecure=True)

resource = Resource.create({"service.name": "shop"})
tracing, logging_ = TracerProvider(resource=resource), LoggerProvider(resource=resource)
tracing.add_span_processor(SimpleSpanProcessor(spans))
logging_.add_log_record_processor(SimpleLogRecordProcessor(logs))
log = logging.getLogger("shop")
log.addHandler(LoggingHandler(logger_provider=logging_))
with tracing.get_tracer("shop").start_as_current_span("chat m-1") as span:
    span.set_attributes({
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]',
    })
    log.warning("the shop is open")
tracing.shutdown()
logging_.shutdown()
