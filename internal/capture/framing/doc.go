// Package framing knows where events begin and end in the byte streams that agents emit, and nothing of what they say.
//
// Capture, decoding and replay all cut streams with it, so they cannot disagree about what an event is:
//
//	bytes, in chunks of any size                      body of a frame
//	        │                                                │
//	        ▼                                                ▼
//	    Splitter ──► Unit, Unit, … ──► frames         ParseSSE, Texts ──► event, event, …
//	        │        (bytes + number of events)              ▲
//	        └──► Tail (the unfinished rest)                  │
//	                      both count with Count ─────────────┘
//
// What an event is:
//
//   - SSE: a block of lines, ended by an empty one, with at least one data line (WHATWG's rule of dispatch). Blocks of
//     comments are bytes but no events, and so is a block that the stream's end cuts off.
//   - NDJSON: a line that is not blank, the last one also without its terminator. A line that is a JSON array is as many
//     events as it has elements: JSON-RPC and CloudEvents send batches so.
//   - JSON: one document, by the same rule as a line.
//   - AWS's event stream: a message, by the length that it begins with.
//
// The bytes of the units of a stream, and of its tail, are the bytes of the stream: nothing is left out or changed.
//
// A byte order mark is ignored where an event may start before any other has ended: at the start of the stream, and
// after comments that lead it. WHATWG ignores only the first; the wider rule depends on nothing but the number of
// events before, so that it holds however the stream was cut.
package framing
