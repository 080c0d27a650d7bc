// Package kernels holds the pure functions that decide what is forgotten and what things are called: column in, column
// out, over Arrow arrays. There is no clock, no randomness and no I/O here, so that replicas, replays and retries agree
// bit for bit.
//
//	stream, position, token ──► LoadGate ──────► shed?      (under load)
//	token_buffer ─────────────► TokenGate ─────► pruned     (disfluencies)
//	components ──► Normalise ──► Join ──► UUIDv5 ──► id     (identity)
//	            └───────────── Identify ──────────────┘
//
// Each column kernel has a scalar form (LoadSheds, PruneTokens, NormaliseString, JoinStrings, UUID) that serves callers
// with a single value and is the oracle of its tests.
//
// What holds for all column kernels:
//
//   - Columns of one call have the same length; the result has it too. ErrLength otherwise.
//   - Slices are read where they stand, and results start at offset 0. The caller releases the result and keeps what it
//     passed in. MapChunks runs a kernel over chunked columns.
//   - The number of allocations does not depend on the number of rows.
//   - A String result holds at most 2 GiB of text, the reach of its 32-bit offsets. ErrTooLarge otherwise.
package kernels
