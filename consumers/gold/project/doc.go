// Package project keeps Gold's tables up with its state.
//
//	a group's rows of Silver ─► TraceRows ─► traces, before the commit
//	entities whole in their group ─► Holding, named by the commit ─► entities, episodes: appended together
//	dirty marks ─► flush ─► logIntent ─► append or merge ─► dropMarks      entities, episodes, metrics, graph, shed
//
// Traces are appended with the number of the message that brought them. What a crash leaves of rows that were never committed is deleted
// by package fold when it resumes. All other tables are views that follow the state: a row is written when a dirty mark says so, or
// when its entity was complete in the group that brought it (held.go). A table that fails keeps its marks and is written later.
package project
