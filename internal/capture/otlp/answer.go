package otlp

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"assay/internal/capture"
)

// When an exporter should try again, after an error that passes.
const (
	soon      = time.Second     // it is busy, or away for a moment
	afterFull = 5 * time.Second // somebody has to make room
)

// refusal is an error as an exporter is told of it: by the codes that its specification takes for worth a retry, or not.
type refusal struct {
	code   codes.Code
	status int           // of HTTP
	after  time.Duration // 0: sending the same again is no use
	text   string
}

func refusalOf(err error) refusal {
	httpStatus, why := capture.RefusalOf(err)
	r := refusal{codes.InvalidArgument, httpStatus, 0, why.Error + ": " + why.Remedy}
	switch httpStatus {
	case http.StatusInsufficientStorage: // which no exporter tries again
		r.code, r.status, r.after = codes.ResourceExhausted, http.StatusTooManyRequests, afterFull
	case http.StatusTooManyRequests:
		r.code, r.after = codes.ResourceExhausted, soon
	case http.StatusServiceUnavailable:
		r.code, r.after = codes.Unavailable, soon
	case http.StatusInternalServerError:
		r.code = codes.Internal
	}
	return r
}

// grpc is the refusal as a status. A log that is full is worth a retry only if it is said when.
func (r refusal) grpc() *status.Status {
	s := status.New(r.code, r.text)
	if r.after == 0 {
		return s
	}
	if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.after)}); err == nil {
		return detailed
	}
	return s
}

// write answers over HTTP: with a Status in the encoding that the export came in.
func (r refusal) write(w http.ResponseWriter, kind string) {
	var body []byte
	var err error
	if kind == typeProto {
		body, err = proto.Marshal(r.grpc().Proto())
	} else {
		kind = typeJSON
		body, err = protojson.Marshal(status.New(r.code, r.text).Proto())
	}
	if err != nil {
		http.Error(w, r.text, r.status)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.after.Seconds())))
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(body)
}

// traceResponse answers an export of spans. What was rejected is not worth sending again.
func traceResponse(left rejected) ptraceotlp.ExportResponse {
	response := ptraceotlp.NewExportResponse()
	if left.items > 0 {
		response.PartialSuccess().SetRejectedSpans(left.items)
		response.PartialSuccess().SetErrorMessage(left.message())
	}
	return response
}

// logResponse answers an export of log records.
func logResponse(left rejected) plogotlp.ExportResponse {
	response := plogotlp.NewExportResponse()
	if left.items > 0 {
		response.PartialSuccess().SetRejectedLogRecords(left.items)
		response.PartialSuccess().SetErrorMessage(left.message())
	}
	return response
}

// encoded renders the answer to an export over HTTP. Of one that was kept whole it says nothing.
func encoded(signal Signal, left rejected, kind string) ([]byte, error) {
	switch {
	case left.items > 0:
	case kind == typeJSON:
		return []byte("{}"), nil
	default:
		return nil, nil
	}
	var response interface {
		MarshalJSON() ([]byte, error)
		MarshalProto() ([]byte, error)
	}
	if response = traceResponse(left); signal == Logs {
		response = logResponse(left)
	}
	if kind == typeJSON {
		return response.MarshalJSON()
	}
	return response.MarshalProto()
}
