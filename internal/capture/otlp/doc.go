// Package otlp takes exports of OpenTelemetry, over HTTP and gRPC, as their specification says, and answers when they are
// durable.
//
//	POST /v1/traces, /v1/logs ─┬─ JSON, as it came ────────────┐
//	                           └─ protobuf ──► the same as JSON ┼──► a frame of bronze.otlp.<service>, or several of one that is large
//	gRPC Export ──────────────────────────────────────────────┘
//
// An export is one record. It is its own stream, named by its digest, so that one which is sent again is known. Spans and log
// records that cannot be kept are told in the answer, as a partial success; a log that is full, or away, is a reason to try again.
package otlp
