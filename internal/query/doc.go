// Package query answers questions about what Assay holds.
//
//	CLI ──┬─► Local ──► sovereign store (LanceDB), state store, log        --data DIR
//	      └─► Remote ─► HTTP ─► API ─► Local in the server                 --server URL
//
// Both are a View and give the same answers, so that a command need not know which one it asks.
package query
