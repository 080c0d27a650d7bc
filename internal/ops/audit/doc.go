// Package audit proves the tables against the log: it computes from the frames of BRONZE what the rows must be, by the same
// pure functions that made them, and compares.
//
//	BRONZE ─► decode, gate, identify ─┬─► rows of traces ───────────────────────┐
//	                                  │                                         ├─► compare, a window at a time ─► Report
//	                                  └─► fold into a fresh Gold ─► other rows ─┘            ▲
//	                                                                            tables ──────┘
//
// Memory does not grow with the log. Rows of traces carry the sequence of their frame, so they are compared in windows of
// sequences. Other tables change as the log grows: what they held at a moment of rest waits on disk in the order of its keys,
// beside what the log says, and both are gone through together. Instead of rows, signatures are held: numbers as they are, of
// texts the beginning of their SHA-256. After each window a checkpoint is saved, from which an interrupted audit goes on.
//
// The log may hold an event more than once, and which capture became the row depends on which came first. A row of traces is
// therefore right if the frame that it names holds its event exactly as the row says, and if there is no second row of it.
//
// Letters on DEAD are compared in the same way, by the frame and position that they name (package deadletter).
//
// What frames that have left the log had to say can no longer be proved. Such rows are counted as unprovable, not as
// differences.
package audit
