package capture

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Answer tells what of a body is in the log.
type Answer struct {
	Stream   string `json:"stream"`
	First    uint64 `json:"first"` // position of the first event
	Events   int    `json:"events"`
	Frames   int    `json:"frames"`
	Sequence uint64 `json:"sequence"` // of the last frame in BRONZE

	Unfinished int `json:"unfinished,omitempty"` // bytes at the end that are no event, for want of the empty line that ends one
}

// Refusal is the answer to a body that was not taken, or not wholly.
type Refusal struct {
	Error    string  `json:"error"`
	Remedy   string  `json:"remedy"`
	Accepted *Answer `json:"accepted,omitempty"` // what is in the log all the same
}

// refusals give each kind of error its status and its remedy; the first that fits counts.
var refusals = []struct {
	err    error
	status int
	remedy string
}{
	{ErrBusy, http.StatusTooManyRequests, "try again in a second, or close streams that are done"},
	{streams.ErrFull, http.StatusInsufficientStorage, "raise log.max_bytes, lower log.max_age, or free disk space"},
	{streams.ErrUnavailable, http.StatusServiceUnavailable, "send the same request again, with the same Assay-Stream and Assay-Position"},
	{ErrStopping, http.StatusServiceUnavailable, "send what is not accepted yet when the server is back"},
	{streams.ErrClosed, http.StatusServiceUnavailable, "the server is stopping: send the same request again when it is back"},
	{framing.ErrTooLarge, http.StatusRequestEntityTooLarge, "shorten the event, or send a JSON array as NDJSON, one element a line"},
	{streams.ErrTooLarge, http.StatusRequestEntityTooLarge, "shorten the event, or raise the log's message size"},
	{ErrTooLong, http.StatusRequestEntityTooLarge, "send the body in several requests"},
	{ErrMedia, http.StatusUnsupportedMediaType, "set Content-Type to text/event-stream, application/x-ndjson or application/json, in UTF-8"},
	{ErrTimeout, http.StatusRequestTimeout, "go on in another request, with the same Assay-Stream"},
	{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "send a comment or a blank line now and then to keep a stream open"},
	{streams.ErrFrame, http.StatusBadRequest, "correct the frame as the error says"},
	{ErrRequest, http.StatusBadRequest, "correct the request as the error says"},
	{io.ErrUnexpectedEOF, http.StatusBadRequest, "send the whole body, of the length that was announced"},
}

// RefusalOf is the answer that an error means: its status and what to do.
func RefusalOf(err error) (status int, refusal Refusal) {
	status, refusal = http.StatusInternalServerError, Refusal{Error: err.Error(), Remedy: "see the server's log"}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.status, Refusal{Error: err.Error(), Remedy: r.remedy}
		}
	}
	return status, refusal
}

// refuse answers with the status of the error and says what was accepted nevertheless, if anything was.
func refuse(w http.ResponseWriter, err error, accepted *Answer) {
	status, refusal := RefusalOf(err)
	if accepted != nil && accepted.Frames > 0 {
		refusal.Accepted = accepted
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	reply(w, status, refusal)
}

// reply writes a JSON answer. That it may not arrive is the client's to find out.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
