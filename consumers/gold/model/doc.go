// Package model holds what Gold folds and keeps, as pure data: the event, the states that events are joined into, the sums over
// them, how each is written as a record, and under which key. It reads and writes nothing.
//
//	SILVER record ─► Columns ─► Event ─┬─► Identity        was it met before, and where
//	                                   ├─► EntityState     a join-semilattice of its events
//	                                   └─► FragmentRun     its part of the entity's text
//	EntityState ─┬─► Call ─────────► Delta          ─► MetricSum, ElementCount
//	             ├─► HistoryShare ─► HistoryDeltas  ─► HistorySummary, turns
//	             └─► EntityRecord ─► Content ─► Entity (as it is shown), episodes
//
// # The algebra
//
// What Gold keeps is a function of the set of events, not of the order, the cuts or the repetitions in which they come:
//
//   - An entity is a join-semilattice. Its fields are joins: least or greatest values, "or", and registers that keep the
//     value of the event that comes first or last in a fixed total order (own time, position, identity). Its text is an
//     ordered map from place to fragments, put together when it is read. Counts of events and bytes are sums, which is
//     sound because the identity index lets every event in once.
//   - The same event may be captured several times. Its identity lets its content in once; when and where it was captured
//     are least values (greatest for the last position), and joined every time. Hence capture time decides about times
//     alone, never about which content wins.
//   - An event that was shed in one capture and kept in another was kept: it is taken out of the shed counters again.
//   - Metrics and graph are sums over calls in a group that has inverses: when an entity changes, the call that it was is
//     taken out and the call that it is put in. Latency sketches are counts by bin, so they too can be taken out of.
//   - Edges "follows" are a function of each workflow's calls in order; a call that comes in between two others takes their
//     edge out and puts two in.
//
// Captures that contradict each other under one identity, say about the workflow, are outside this: the first one counts.
package model
