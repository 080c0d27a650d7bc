// Package kernels holds the pure functions that decide what is forgotten and what things are called. There is no clock, no
// randomness and no I/O here, so that replicas, replays and retries agree bit for bit.
//
//	stream, position, token ──► LoadSheds ──────► shed?     (under load)
//	token_buffer ─────────────► PruneTokens ────► pruned    (disfluencies)
//	components ──► NormaliseString ──► JoinStrings ──► UUID (identity)
//	columns of components ──► Identify ──► column of ids    (the same, by column)
//	column of names ──► UUIDv5 ──► column of ids
//
// Ids are computed by column, over Arrow arrays: Identify and UUIDv5, of which the forms for one value are the oracle. What holds
// for both:
//
//   - Columns of one call have the same length; the result has it too. ErrLength otherwise.
//   - Slices are read where they stand, and results start at offset 0. The caller releases the result and keeps what it
//     passed in.
//   - The number of allocations does not depend on the number of rows.
package kernels
