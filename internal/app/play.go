package app

import (
	"context"
	"slices"

	"assay/streams"
)

// Play brings frames into the log and returns when they are durable. Where the log has a frame at the same place of the same
// stream already, it keeps that.
func (p *Pipeline) Play(ctx context.Context, frames []*streams.Frame) error {
	names := map[string][]string{} // of streams, by subject
	for _, f := range frames {
		names[f.Subject()] = append(names[f.Subject()], f.Stream)
	}
	type place struct {
		stream   string
		position uint64
	}
	taken := map[place]bool{}
	for subject, names := range names {
		found, err := p.log.StreamFrames(ctx, subject, names...)
		if err != nil {
			return err
		}
		for stream, stored := range found {
			for _, frame := range stored {
				taken[place{stream, frame.Position}] = true
			}
		}
	}
	frames = slices.DeleteFunc(slices.Clone(frames), func(f *streams.Frame) bool { return taken[place{f.Stream, f.Position}] })
	if len(frames) == 0 {
		return nil
	}
	_, err := p.publisher.Publish(ctx, frames...)
	return err
}
