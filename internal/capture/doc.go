// Package capture brings bytes into BRONZE: files, standard input, followed files, SSE URLs and HTTP bodies.
//
// Whatever the way in, a Recorder cuts the bytes of one source stream into frames and hands them to the log:
//
//	file, stdin, URL, HTTP body
//	      │ Write(chunk), of any size
//	      ▼
//	 framing.Splitter ──► whole events ──► frame ──► frames in flight ──► Publisher ──► BRONZE
//	 (holds the         (never cut)      │         (bounded: Write       (answers when durable)
//	  unfinished one)                    │          waits here)
//	                        cut when full, or when the writer pauses (Linger)
//
// Nothing is parsed beyond the ends of events: the frames of a stream, joined in the order of their positions, are the
// stream's bytes again. Memory is bounded by one unfinished event and the frames in flight, and a Budget bounds the
// frames of many recorders together. A stream that is captured again publishes only what the log does not have yet.
package capture
