// Package deadletter compares what DEAD holds with the letters that the frames of BRONZE yield.
//
//	BRONZE ─► decode ─► dead events ─► Expect ─┐
//	                                           ├─► Ledger, on disk, by frame and position ─► Compare ─► Findings
//	DEAD ────────────────────────────► Read ───┘
//
// A letter is known by where its event stands, and right if it says of it what decoding says now. A frame that was delivered
// twice may have left two; that is no finding as long as both are right.
//
// DEAD also holds letters about messages of SILVER and PROMOTION, and what other clients have written there. These do not follow
// from a frame, and are passed over. What follows from frames that the log has no more, and letters that the limits of DEAD may
// have taken, cannot be proved.
package deadletter
