// Package outbox keeps a recording off the path of what is recorded: frames go to files on disk, which takes moments,
// and from there to the log in the background, for as long as that takes.
//
//	Recorder ──► Outbox.Publish ──► DIR/<id>.spool, … ──► forward ──► next Publisher (the log, a server)
//	             (never waits for   (segments: one is     (many frames at a time, in order, tried again until taken;
//	              the log)           gone once it was sent)  what a crash or an outage left is sent first)
//
// How far it was sent is kept with each segment: after a crash at most the frames of one request are sent again, and the
// log recognises them. What waits is limited, however much goes through: what does not fit is refused with ErrFull. What
// has waited for a moment is synced, and so outlives a power failure too.
package outbox
