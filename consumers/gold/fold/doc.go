// Package fold folds groups of batches of SILVER into Gold's state: one transaction for each group, committed once traces has its rows.
//
//	Apply ─► Tx.dedup ──► new events ─┬─► traces (package project), meanwhile ──┐
//	           │                      └─► Tx.fold ─► entities ─► Tx.Finish ─────┴─► Commit ─► NoteSaid ─► Spread
//	           └─► met before: only when and where                  │
//	                                     sums, histories, lineage, held rows, dirty marks
//
// A Tx reads through a Seeker, gathers what changes in maps, and writes all of it in Finish. What can only be found out once the group is
// stored follows in commits of its own, each of which may be repeated: which answers are repeated by later requests (echoes.go), and
// what descends from something that was taken back (lineage.go, quarantine.go).
package fold
