// Package retention drops rows of tables by age and by size.
//
//	settings ─► horizon of a table ─► bucket state ─► delete rows last active before it ─► compaction, at the next upkeep
//
// A horizon only moves forward. It is written down before a row is deleted, so that an audit knows which rows may be missing;
// the log, the state and what is forgotten are none of its business. A row that changes after it was dropped comes back.
package retention
