// Package silver turns the raw frames of BRONZE into identified rows on SILVER.
//
//	BRONZE ──fetch──► decode + gate ──► Batch (Arrow builders) ──► kernels: UUIDv5 by column ──► SILVER (Arrow IPC)
//	   ▲                                   │                                                        │
//	   └───────────── ack, after ──────────┼───────────────── dead letters ──► DEAD                 │
//	                                       └───────────────── promotions ────► PROMOTION ◄──────────┘
//
// A frame is acknowledged only after everything made of it is on disk. A crash in between publishes rows a second time;
// rows are identified by what they say, so Gold recognises them. For the same reason any number of workers may share
// the consumer and cut batches as they like: rows, identities and states come out the same.
package silver
