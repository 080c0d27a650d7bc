package app

import (
	"context"
	"errors"
	"net/http"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/internal/capture/mapping"
	"assay/internal/capture/otlp"
	"assay/internal/config"
	"assay/internal/failpoint"
	"assay/streams"
)

// Files returns what captures files into this pipeline's log.
func (p *Pipeline) Files() *capture.Files {
	return &capture.Files{
		Publisher: p.publisher, Stored: p.log.StreamFrames, Limits: p.limits(), InFlight: p.shares.Ingest, Shed: p.shed,
		Map: Map(p.opts.Config),
	}
}

// Record brings one whole source stream into the log and returns when it is durable. What the log has of it already is
// passed over.
func (p *Pipeline) Record(ctx context.Context, source streams.Source, workflow, stream string, body []byte) error {
	found, err := p.log.StreamFrames(ctx, streams.Subject(source, workflow), stream)
	if err != nil {
		return err
	}
	return p.record(ctx, source, workflow, stream, body, found[stream])
}

// RecordNew is Record for a stream of which the log certainly has nothing, whose id was made a moment ago. It asks the log nothing,
// so that it costs the same however much a workflow has.
func (p *Pipeline) RecordNew(ctx context.Context, source streams.Source, workflow, stream string, body []byte) error {
	return p.record(ctx, source, workflow, stream, body, nil)
}

func (p *Pipeline) record(
	ctx context.Context, source streams.Source, workflow, stream string, body []byte, stored capture.Frames,
) error {
	format := framing.NDJSON
	if source == streams.SourceSSE {
		format = framing.SSE
	}
	recorder := capture.New(ctx, p.publisher, capture.Options{
		Source: source, Format: format, Workflow: workflow, Stream: stream, Limits: p.limits(),
		Stored: stored, Shed: p.shed,
	})
	_, writeErr := recorder.Write(body)
	_, err := recorder.Close(ctx)
	return errors.Join(writeErr, err)
}

// shed is the threshold of the load gate to stamp on frames; before anything runs there is no lag to measure.
func (p *Pipeline) shed() float64 {
	if p.stamp == nil {
		return 0
	}
	return p.stamp.Threshold()
}

// IngestHandler answers POST and GET /v1/ingest/{source}/{workflow}, until stopping ends, and with it the bodies that are open.
func (p *Pipeline) IngestHandler(stopping context.Context) http.Handler {
	c := p.opts.Config.Ingest
	handler := capture.NewHandler(capture.HandlerOptions{
		Publisher: p.publisher, Stored: p.log.StreamFrames, End: p.log.StreamEnd, Shed: p.shed, Limits: p.limits(),
		Stopping: stopping, OpenStreams: c.Streams, Idle: c.Idle, Timeout: c.Timeout, BodyBytes: c.BodyBytes,
		InFlight: p.shares.Ingest, Map: Map(p.opts.Config), Edge: p.edge,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		failpoint.Point("ingest: durable, not answered") // the answer leaves when this returns
	})
}

// Map is the mapping that the settings give the user's own events. They are valid.
func Map(c config.Config) string {
	m, _ := mapping.Of(c.Fields)
	return m.String()
}

// OTLP takes exports of OpenTelemetry into this pipeline's log.
func (p *Pipeline) OTLP() *otlp.Receiver {
	return &otlp.Receiver{Publisher: p.publisher, Shed: p.shed, Bytes: min(p.limits().Defaults().EventBytes, otlp.BytesMax)}
}

func (p *Pipeline) limits() capture.Limits { return Limits(p.opts.Config.Ingest) }

// Limits are those that the settings set to capturing.
func Limits(c config.Ingest) capture.Limits {
	return capture.Limits{EventBytes: c.EventBytes, FrameBytes: c.FrameBytes, Linger: c.Linger}
}

// Publisher takes frames into the log.
func (p *Pipeline) Publisher() *streams.Publisher { return p.publisher }
