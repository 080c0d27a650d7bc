// Package bronze decodes the raw frames of the log into events and decides which of them are shed. The log itself is package streams;
// silver calls what is here for each frame, as internal/app joins them (decoder, in open.go).
//
//	streams.Frame ──► internal/capture/framing ──► raw event ──► recognise by content ─┬─► JSON-RPC 2.0 (MCP understood)
//	(bytes as captured)  (SSE, NDJSON,                                      ├─► CloudEvents
//	                      JSON)                                             ├─► state events ──► token gate
//	                                                                        ├─► model streams: OpenAI, Anthropic,
//	                                                                        │   Gemini, Cohere, …
//	                                                                        └─► generic
//	                                                                              │
//	                              []Event, at least one for each record ◄──────┘
//	                                      │
//	                                  LoadGate ──► []Event with dispositions: kept, shed, dead
//
// Everything here is a pure function of the frame: no clock, no randomness, no memory of other events. So the order of
// the frames, the way in which a stream was cut into them and the number of decoders do not matter, and decoding a log
// again gives the same events. The price is that a decoder knows only what its event says: a JSON-RPC response names no
// method, a chunk of an OpenAI-compatible stream often not its provider. Whoever folds events into entities joins that:
// token counts are cumulative within a message, so their maximum is the message's; of two providers that differ, the one
// that is not ProviderOpenAI says more, for OpenAI's format is spoken by many.
//
// Decoding never fails. What cannot be decoded becomes an event too, dead, with the reason and its raw bytes.
package bronze
