// Package proxy stands between clients and a model API or an MCP server, passes all on as it comes, and records it.
//
//	client ──request──►  ReverseProxy  ──► upstream        bytes go on as they come, unchanged
//	       ◄──answer───  (flushes each piece)
//	                       │ copies
//	                       ▼
//	                     tape, tape ──► record ──► Recorder ──► Publisher (an outbox)
//	                  (never wait)     (one goroutine an exchange)
//
// What is recorded are bodies: event streams, NDJSON and JSON, whatever their content type says; and, once an exchange is
// over, a record of it: method, path, status, times, and how it ended. No header is recorded but those of rate limits,
// and no query, so that no credentials are. An exchange that is cancelled is recorded as far as it came, and a little
// further: what is left of a short answer is fetched though the client has gone.
//
// JSON-RPC, in requests and answers, belongs to one source stream a session; a model's answer is a stream of its own,
// beside that of its request. The frames of an exchange name it. Their workflow is the conversation that the request
// names, or begins with: see workflow.go.
package proxy
