// Package proxy stands between clients and a model API or an MCP server, passes all on as it comes, and records it.
//
//	client ──request──►  ReverseProxy  ──► upstream        bytes go on as they come, unchanged
//	       ◄──answer───  (flushes each piece)
//	                       │ copies
//	                       ▼
//	                     tape, tape ──► record ──► Recorder ──► Publisher (a spool)
//	                  (never wait)     (one goroutine an exchange)
//
// What is recorded are bodies: event streams, NDJSON and JSON. No header is, so that no credentials are. An exchange
// that is cancelled is recorded as far as it came.
//
// JSON-RPC, in requests and answers, belongs to one source stream a session; a model's answer is a stream of its own,
// beside that of its request.
package proxy
