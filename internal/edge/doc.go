// Package edge forwards the log of a node to that of a hub.
//
//	edge                                          hub
//	BRONZE ─► consumer forward ─► Forwarder ─┬─► NATS ─────────────────────► BRONZE
//	                                         └─► HTTP ─► Handler ─► EdgeWriter ─┘
//
// The Forwarder reads the log in order and hands frames on in batches; it acknowledges a batch when the hub has it durably. The
// hub's log itself refuses what it has already (streams.EdgeWriter), so whatever is sent again after a lost answer, a kill or a
// restored connection is stored once. While the hub is away, frames wait in the edge's log, within that log's limits.
package edge
