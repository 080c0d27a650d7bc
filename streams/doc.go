// Package streams is the log: an embedded NATS server, the streams, consumers and buckets on it, and the ways in and out.
//
//	Publish ──► queue ──► atomic batch ──► BRONZE ──► silver ──► SILVER ──► gold
//	(frames of all         (one sync)       │         (consumer)  ▲         (consumer)
//	 callers)                               ├──► Replay, Tally    └── PublishMsgs ──► DEAD, PROMOTION
//	                                        └──► SilverLag ──► Stamp ──► Frame.Shed
//
// A Frame is one message of BRONZE: consecutive events of one source stream, as the bytes came. Publisher stores frames
// and answers when they are on disk (or, with replicas, on a majority). Everything above BRONZE is derived from it and can
// be rebuilt.
//
// Files: server.go the embedded server; define.go what streams, consumers and buckets there are; frame.go, publisher.go and batch.go the way
// in; fetch.go, scan.go and replay.go the ways out; chain*.go the hash chain over BRONZE with its checkpoints, proof.go a frame's place in it;
// erase.go and tombstones.go what forgetting leaves of frames; journal.go the states of a fleet's partitions, where a commit of an old owner
// is refused; lag.go when load is shed; dead_letters.go DEAD; entries.go the buckets.
//
// StartServer and Open are separate, because a Log works on an outside cluster just as well:
//
//	server, err := streams.StartServer(ctx, streams.ServerConfig{DataDir: dir, Config: assay.NATSConfig})
//	nc, err := server.Connect()
//	log, err := streams.Open(ctx, nc, streams.DefaultConfig())
package streams
