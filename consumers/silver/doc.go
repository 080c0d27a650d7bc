// Package silver turns the raw frames of BRONZE into identified rows on SILVER.
//
//	BRONZE ──fetch──► decode + gate ──► Batch (Arrow builders) ──► kernels: UUIDv5 by column ──► SILVER (Arrow IPC)
//	   ▲                                   │                                                        │
//	   └───────────── ack, after ──────────┼───────────────── dead letters ──► DEAD ◄───────────────┤
//	                                       └───────────────── promotions ────► PROMOTION ◄──────────┘
//
// A frame is acknowledged only after everything made of it is on disk. A crash in between publishes rows a second time;
// rows are identified by what they say, so Gold recognises them. For the same reason any number of workers may share
// the consumer and cut batches as they like: rows, identities and states come out the same.
//
// The size of a batch adapts to the lag. It grows over as many fetches as it takes until it has MaxRows, MaxBytes or
// MaxFrames, so under lag the cost of a batch, and the sync to disk above all, is shared by many rows; and MaxAge after its
// first row it is published however small, so without lag rows hardly wait. While one worker waits for its batch to be
// stored the others decode: two keep both the disk and a processor busy.
//
// What the log refuses, because SILVER is full or the server away, is tried again until it is taken: the worker gives its
// frames back, pauses, and meets them again. What cannot become a row is a dead event, with a row to count it and a letter
// to DEAD; it never holds up what comes after it.
package silver
