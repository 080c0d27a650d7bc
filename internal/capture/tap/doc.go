// Package tap runs an MCP stdio server for a client and records what both say, without either noticing.
//
//	client ──stdin──►  pass  ──► server          bytes go on as they come, unchanged
//	       ◄─stdout──  pass  ◄──
//	                    │ copies, in the order in which they passed
//	                    ▼
//	                  queue ──► record: lines of either side ──► Recorder ──► Publisher (an outbox)
//	              (never waits)
//
// Recording never holds the session up: what passes is put into a queue in memory, and if that is full the recording
// ends, not the session.
package tap
