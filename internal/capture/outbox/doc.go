// Package outbox keeps a recording off the path of what is recorded: frames go to a file on disk, which takes moments,
// and from there to the log in the background, for as long as that takes.
//
//	Recorder ──► Spool.Publish ──► DIR/<id>.spool ──► forward ──► next Publisher (the log, a server)
//	             (never waits for                    (in order, tried again until taken;
//	              the log)                            what a crash or an outage left is sent first)
//
// A frame may be sent twice after a crash; the log recognises it. The file is emptied whenever all of it was sent, and
// is limited: what does not fit any more is refused with ErrFull.
package outbox
