// Package sovereign is the store that a user owns: LanceDB tables in a folder, readable by any LanceDB client.
//
//	rows (Arrow) ──► Append, Merge, Delete ──┐                          ┌──► Query, Count ──► rows (Arrow)
//	                                         ▼                          │
//	                                ┌──────────────────────────────────────┐
//	                  lancedb-go ──►│ native library (sovereign/native)    │
//	         create, open, schemas, │ one shared table a path, one writer  │
//	         scalar indexes         │ at a time, readers on snapshots      │
//	                                └──────────────────────────────────────┘
//	                                         │            ▲
//	                                         ▼            └── EnsureIndexes, EnsureVectorIndex, Optimise: upkeep beside both
//	                                DIR/traces.lance, DIR/entities.lance, …
//
// What lancedb-go offers is used as it is; what it lacks goes through the same native library by calls of our own, with
// rows passed through the Arrow C data interface without copying. This is the only package that uses cgo; `make native`
// builds the library.
//
// A write is visible to every later read of the process once it returns. Rows are addressed by the tables and filters of
// sovereign/schema.
package sovereign
