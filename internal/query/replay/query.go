package replay

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"assay/streams"
)

// ErrQuery means that a query selects nothing that can be understood.
var ErrQuery = errors.New("replay: not a selection")

// ErrStream means that the log has nothing of the source stream that a selection names.
var ErrStream = errors.New("replay: no frame of stream")

// Query renders the selection for a URL.
func (s Selection) Query() url.Values {
	query := url.Values{"subject": s.Subjects}
	set := func(name, value string, given bool) {
		if given {
			query.Set(name, value)
		}
	}
	set("stream", s.Stream, s.Stream != "")
	set("from_seq", strconv.FormatUint(s.FromSeq, 10), s.FromSeq > 0)
	set("to_seq", strconv.FormatUint(s.ToSeq, 10), s.ToSeq > 0)
	set("from", s.From.Format(time.RFC3339Nano), !s.From.IsZero())
	set("to", s.To.Format(time.RFC3339Nano), !s.To.IsZero())
	set("speed", strconv.FormatFloat(s.Speed, 'g', -1, 64), s.Speed > 0)
	set("json", "true", s.JSON)
	return query
}

// ParseQuery is the inverse of Selection.Query. Its errors wrap ErrQuery and name the parameter.
func ParseQuery(query url.Values) (s Selection, err error) {
	s.Subjects, s.Stream, s.JSON = query["subject"], query.Get("stream"), query.Get("json") == "true"
	parse := func(name string, into func(string) error) {
		if value := query.Get(name); value != "" && err == nil {
			if e := into(value); e != nil {
				err = fmt.Errorf("%w: %s=%q: %w", ErrQuery, name, value, e)
			}
		}
	}
	parse("from_seq", func(v string) (e error) { s.FromSeq, e = strconv.ParseUint(v, 10, 64); return })
	parse("to_seq", func(v string) (e error) { s.ToSeq, e = strconv.ParseUint(v, 10, 64); return })
	parse("from", func(v string) (e error) { s.From, e = time.Parse(time.RFC3339Nano, v); return })
	parse("to", func(v string) (e error) { s.To, e = time.Parse(time.RFC3339Nano, v); return })
	parse("speed", func(v string) (e error) { s.Speed, e = strconv.ParseFloat(v, 64); return })
	if err == nil && !(s.Speed >= 0) {
		err = fmt.Errorf("%w: speed=%g is not positive", ErrQuery, s.Speed)
	}
	return s, err
}

// Answer writes the selected frames as the answer to a request. What goes wrong after the first byte breaks the answer off,
// so that the client cannot take it for the end. Errors are those from before.
func Answer(w http.ResponseWriter, r *http.Request, log *streams.Log, s Selection) error {
	contentType, err := contentTypeOf(r.Context(), log, s)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	if err := Write(r.Context(), flushing{w}, log, s); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
