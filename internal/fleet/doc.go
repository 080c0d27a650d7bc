// Package fleet has the workers of a log agree on who owns which of its partitions.
//
//	members: each worker renews its key ─► who has not for a while is dead, by the clock of whoever watches
//	living workers ─► rendezvous hashing ─► wanted owner and standby of each partition
//	owners: key p, by compare-and-set at each take-over and hand-over ─► epoch, which only rises
//
// None of this keeps two workers from taking themselves for the owner for a while, such as one that was paused: what keeps the
// tables right is that the journal and the store refuse whoever has an older epoch.
package fleet
