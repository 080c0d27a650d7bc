// Package promotion publishes promotions to a capability registry when the network allows, and loses none when it does
// not: not in an outage of weeks, not in a crash at any step.
//
//	PROMOTION ──► intake ──► table row "pending" ──► bucket entry ──► ack
//	              │ invalid                             │ watch
//	              ▼                                     ▼
//	             DEAD          ┌── due entries, by time of next attempt ◄──────────┐
//	                           ▼                                                   │
//	              claim (lease in the entry) ──► registry ──► recorder: table row, then entry
//	                                                            published: entry deleted
//	                                                            rejected:  entry kept, tried again only by command
//	                                                            failed:    entry waits, backing off
//
// At every moment an accepted promotion is in the stream (not acknowledged), in the bucket, or in the table as
// published: each step writes the next place before it leaves the last. A crash between two steps repeats one of them,
// and every step may be repeated: rows are merged by key, entries are written only at the revision that was read, and
// an attempt whose outcome is unknown is looked up, or sent under the same idempotency key, before it counts again.
//
// The bucket is what the publisher works from, the table is what people read; the table is written first, so it is
// never behind.
package promotion
