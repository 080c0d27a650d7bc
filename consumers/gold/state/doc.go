// Package state is Gold's embedded ordered store (Pebble): opened, read, committed, purged, copied.
//
//	batch ─► DB.Commit ─► Journal, if there is one ─► Pebble ─► Load, Scan, Seeker: records of package model
//	                          └─► Copy, on another node             └─► LoadRecord, LoadEntity: whole entities
//
// All that a group of messages changes is one commit, with how far SILVER was applied (Progress), the counts (Totals) and a dirty mark
// for each row of a table that is now out of date (marks.go). The lock of a DB is held while a group is committed and while dirty
// marks are taken away, so that no mark is lost which a group has just renewed.
package state
