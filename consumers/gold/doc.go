// Package gold folds the events of SILVER, each exactly once, into states, and keeps tables of both.
//
//	SILVER ──► decode ──► identity index ──► new events ──┬─► append to traces ─┐
//	  ▲                     │                             │                     ├─► one synced commit ─► acknowledge ─┐
//	  │                     └─► met before: where, when ──┴─► entities ─► calls ┘        │                            │
//	  │                                                        metrics, graph    held rows, marks of rows             │
//	  └───────────────────────────────────────────────────────────────────────────────────┼───────────────────────────┘
//	                                                                                       ▼
//	                                    flush: entities, episodes, capability_metrics, usage_graph, shed
//
// # Exactly once
//
// Delivery is at least once. The state store (Pebble) therefore remembers the identity of every event, and one commit,
// on disk before the message is acknowledged, holds all that a group of messages changes: identities, states, how far
// SILVER was applied, and which rows of the tables are now out of date. Rows of traces carry the number of the message
// that brought them and are appended before that commit. After a crash in between, Open deletes the rows with greater
// numbers than were committed; their messages come again. A message that comes late, when greater numbers are
// committed, is merged into traces instead, which can be repeated.
//
// # Cost
//
// What an event costs grows little with what is stored. Traces are only ever appended to. In the state store, what is new
// lies beside what is new (see keys.go), so compactions leave the old alone; and how far a stream has come tells that its
// next events cannot be known, without looking for them. BenchmarkGrowth measures it.
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
//
// # Taking back and forgetting
//
// An event may take back others. What descends from them is a graph, and the mark of a node is the least of the retractions
// that reach it: a join again; see lineage.go. To forget a workflow is to take its events out of sums, its entities as a
// whole, and to make those anew that other workflows contributed to; see forget.go.
//
// # The tables
//
// The derived tables are views that follow the state; see flush.go and, for the rows that are appended without being read
// back, held.go. They are complete after FlushAll, which Run does when it is told to stop; Unsettled returns what of a
// workflow they still lack.
package gold
