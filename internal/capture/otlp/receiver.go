package otlp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"assay/internal/capture"
	"assay/internal/capture/formats"
	"assay/streams"
)

// BytesMax is the default limit on a frame; an export that has more becomes several.
const BytesMax = 8 << 20

// Limits on what exporters send.
const (
	ExportBytesMax = 16 << 20 // of an export, decompressed
	exportsMax     = 16       // at a time; further ones are told to try again
)

// serviceBytesMax bounds the name of a service in a subject.
const serviceBytesMax = 256

// Signal is what an export is of.
type Signal string

// The signals that are taken.
const (
	Traces Signal = "resourceSpans"
	Logs   Signal = "resourceLogs"
)

// Receiver brings exports into the log. Publisher must be set.
type Receiver struct {
	Publisher capture.Publisher
	Shed      func() float64 // threshold to stamp on frames; nil: 0
	Bytes     int            // limit on a frame; default BytesMax
	Now       func() time.Time

	open atomic.Int64
}

// enter lets one more export in. Its error wraps capture.ErrBusy.
func (r *Receiver) enter() error {
	if r.open.Add(1) > exportsMax {
		r.leave()
		return fmt.Errorf("%w: %d exports are being taken", capture.ErrBusy, exportsMax)
	}
	return nil
}

func (r *Receiver) leave() { r.open.Add(-1) }

func (r *Receiver) bytesMax() int {
	if r.Bytes > 0 {
		return r.Bytes
	}
	return BytesMax
}

// take brings an export, as JSON, into the log and returns when it is durable, with what could not be kept of it. Errors wrap
// capture.ErrRequest or the log's.
func (r *Receiver) take(ctx context.Context, signal Signal, export []byte) (left rejected, err error) {
	v, err := formats.Parse(export)
	if errors.Is(err, formats.ErrTooManyValues) {
		return left, fmt.Errorf("%w: the export has more than %d values; send it in several", capture.ErrRequest, formats.ValuesMax)
	}
	if err != nil || !formats.ValidJSON(export) {
		return left, fmt.Errorf("%w: the export is not JSON", capture.ErrRequest)
	}
	if v.Type() != fastjson.TypeObject {
		return left, fmt.Errorf("%w: the export is no JSON object", capture.ErrRequest)
	}
	items, faulty := survey(signal, v)
	if items == 0 {
		return left, nil // an export of nothing is a legal one
	}
	exports := [][]byte{export}
	if faulty || items > itemsMax || len(export) > r.bytesMax() {
		exports, left = split(signal, export, r.bytesMax())
	}
	frames, name := make([]*streams.Frame, len(exports)), service(v, signal)
	for i, export := range exports {
		frames[i] = r.frame(name, export)
	}
	if len(frames) > 0 {
		_, err = r.Publisher.Publish(ctx, frames...)
	}
	return left, err
}

func (r *Receiver) frame(service string, export []byte) *streams.Frame {
	digest := sha1.Sum(export)
	f := &streams.Frame{
		Source: streams.SourceOTLP, Workflow: service, Stream: "otlp/" + hex.EncodeToString(digest[:]),
		ContentType: streams.ContentJSON, Count: 1, Captured: time.Now(), Body: export,
	}
	if r.Now != nil {
		f.Captured = r.Now()
	}
	if r.Shed != nil {
		f.Shed = r.Shed()
	}
	return f
}

// service is the name of the first service of an export. What the spans are of, they say themselves.
func service(v *fastjson.Value, signal Signal) string {
	for _, attribute := range v.GetArray(string(signal), "0", "resource", "attributes") {
		if string(attribute.GetStringBytes("key")) != "service.name" {
			continue
		}
		if name := attribute.GetStringBytes("value", "stringValue"); len(name) > 0 && len(name) <= serviceBytesMax {
			return string(name)
		}
	}
	return "otlp"
}

// fromProto returns an export in protobuf as JSON.
func fromProto(signal Signal, body []byte) (export []byte, err error) {
	switch signal {
	case Traces:
		request := ptraceotlp.NewExportRequest()
		if err = request.UnmarshalProto(body); err == nil {
			export, err = request.MarshalJSON()
		}
	default:
		request := plogotlp.NewExportRequest()
		if err = request.UnmarshalProto(body); err == nil {
			export, err = request.MarshalJSON()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the body is no export in protobuf: %w", capture.ErrRequest, err)
	}
	return bytes.TrimSpace(export), nil
}
