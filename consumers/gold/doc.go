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
// # Rooms
//
// This package is the face: Gold, what it is asked, the loop that folds a consumer's messages (run.go), several partitions as one
// (partitions.go). Behind it, each knowing only those before it:
//
//	model    events, states, their joins, sums, records and keys: pure, with the algebra that they obey
//	state    the store: open, read, commit, journal, purge
//	project  the tables: rows, held rows, flushes
//	fold     the transaction that folds a group
//	erase    forgetting a workflow
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
// lies beside what is new (see model/keys.go), so compactions leave the old alone; and how far a stream has come tells that its
// next events cannot be known, without looking for them. BenchmarkGrowth measures it.
//
// # Taking back and forgetting
//
// An event may take back others. What descends from them is a graph, and the mark of a node is the least of the retractions
// that reach it: a join again; see fold/lineage.go. To forget a workflow is to take its events out of sums, its entities as a
// whole, and to make those anew that other workflows contributed to; see package erase.
//
// # The tables
//
// The derived tables are views that follow the state; see package project. They are complete after FlushAll, which Run does
// when it is told to stop; Unsettled returns what of a workflow they still lack.
package gold
