// Package erase removes a workflow from everything that was made of it and, if asked to, from the log.
//
//	tombstone ─► Gold's state, entities, episodes ─► traces ─► promotions ─► frames ─► dead letters ─► old versions ─► done
//
// The tombstone comes first and covers the frames up to the log's last at that moment. From then on nothing that is decoded
// of them counts, whether it was under way, is delivered again, rebuilt or audited; what is captured later is new. Each
// further step may be repeated, so one that a crash interrupted is ended when the log is next opened.
//
// Frames that also hold events of other workflows are written again without the forgotten ones before they are erased.
package erase
