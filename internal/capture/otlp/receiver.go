package otlp

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// BytesMax is the default limit on an export, decompressed.
const BytesMax = 8 << 20

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
	Bytes     int            // limit on an export; default BytesMax
	Now       func() time.Time
}

func (r *Receiver) bytesMax() int {
	if r.Bytes > 0 {
		return r.Bytes
	}
	return BytesMax
}

// take brings an export, as JSON, into the log and returns when it is durable. Errors wrap capture.ErrRequest or the log's.
func (r *Receiver) take(ctx context.Context, signal Signal, export []byte) error {
	v, err := fastjson.ParseBytes(export)
	if err != nil || fastjson.ValidateBytes(export) != nil {
		return fmt.Errorf("%w: the export is not JSON", capture.ErrRequest)
	}
	if v.Type() != fastjson.TypeObject {
		return fmt.Errorf("%w: the export is no JSON object", capture.ErrRequest)
	}
	if len(v.GetArray(string(signal))) == 0 {
		return nil // an export of nothing is a legal one
	}
	digest := sha1.Sum(export)
	f := &streams.Frame{
		Source: streams.SourceOTLP, Workflow: service(v, signal), Stream: "otlp/" + hex.EncodeToString(digest[:]),
		ContentType: streams.ContentJSON, Count: 1, Captured: time.Now(), Body: export,
	}
	if r.Now != nil {
		f.Captured = r.Now()
	}
	if r.Shed != nil {
		f.Shed = r.Shed()
	}
	if n := framing.Count(framing.JSON, export, true); n != 1 {
		return fmt.Errorf("%w: the body holds %d JSON values, not one export", capture.ErrRequest, n)
	}
	_, err = r.Publisher.Publish(ctx, f)
	return err
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
