// Package otlp takes exports of OpenTelemetry, over HTTP and gRPC, as their specification says, and answers when they are
// durable.
//
//	POST /v1/traces, /v1/logs ─┬─ JSON, as it came ────────────┐
//	                           └─ protobuf ──► the same as JSON ┼──► a frame of bronze.otlp.<service>
//	gRPC Export ──────────────────────────────────────────────┘
//
// An export is one record. It is its own stream, named by its digest, so that one which is sent again is known.
package otlp
