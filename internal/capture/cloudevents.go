package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
)

// cePrefix begins the headers that carry the attributes of a CloudEvent in binary mode.
const cePrefix = "Ce-"

// isBinaryCloudEvent reports whether a request carries one CloudEvent in binary mode: its attributes in headers, its
// data in the body.
func isBinaryCloudEvent(header http.Header) bool {
	return header.Get(cePrefix+"Specversion") != "" && !strings.HasPrefix(header.Get("Content-Type"), "application/cloudevents")
}

// structuredCloudEvent renders an event of binary mode in structured mode, for headers are no part of a frame. It
// always renders the same event the same way: the attributes sorted by name, then the data, whose bytes stay as they
// came: JSON verbatim under data, other text as a string under data, all else under data_base64.
//
// Errors wrap ErrRequest, or framing.ErrTooLarge for data of more than limit bytes.
func structuredCloudEvent(header http.Header, body io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%w: the data of the CloudEvent has more than %d bytes", framing.ErrTooLarge, limit)
	}
	attributes, err := ceAttributes(header)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	separator := byte('{')
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		b.WriteByte(separator)
		separator = ','
		writeJSON(&b, name)
		b.WriteByte(':')
		writeJSON(&b, attributes[name])
	}
	writeData(&b, data, attributes["datacontenttype"])
	b.WriteByte('}')
	return b.Bytes(), nil
}

// ceAttributes reads the attributes from the headers.
func ceAttributes(header http.Header) (map[string]string, error) {
	attributes := map[string]string{}
	for name, values := range header {
		if suffix, ok := strings.CutPrefix(name, cePrefix); ok && len(values) > 0 {
			value, err := ceValue(values[0])
			if err != nil {
				return nil, fmt.Errorf("%w: header %s: %w", ErrRequest, strings.ToLower(name), err)
			}
			attributes[strings.ToLower(suffix)] = value
		}
	}
	for _, required := range []string{"id", "source", "type"} {
		if attributes[required] == "" {
			return nil, fmt.Errorf("%w: a CloudEvent needs the header ce-%s", ErrRequest, required)
		}
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		attributes["datacontenttype"] = contentType
	}
	return attributes, nil
}

// escaped is a pair of a quoted header value that stands for its second character.
var escaped = regexp.MustCompile(`\\(.)`)

// ceValue undoes the quotes and the percent-encoding that the specification asks for; a value that its sender left as it
// was, as the Go SDK does, is taken as it is.
func ceValue(value string) (string, error) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = escaped.ReplaceAllString(value[1:len(value)-1], "$1")
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	if !utf8.ValidString(value) {
		return "", errors.New("its value is not UTF-8")
	}
	return value, nil
}

// ceBody checks a body of structured mode, one event or a batch, and returns it. Errors wrap ErrRequest, or
// framing.ErrTooLarge for more than limit bytes.
func ceBody(body io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%w: CloudEvents of more than %d bytes in one body", framing.ErrTooLarge, limit)
	}
	v, err := formats.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: the CloudEvent is not JSON: %w", ErrRequest, err)
	}
	batch := []*fastjson.Value{v}
	if v.Type() == fastjson.TypeArray {
		if batch = v.GetArray(); len(batch) == 0 {
			return nil, nil // a batch of none is nothing
		}
	}
	for i, event := range batch {
		for _, required := range []string{"specversion", "id", "source", "type"} {
			if len(event.GetStringBytes(required)) == 0 {
				return nil, fmt.Errorf("%w: CloudEvent %d of the body needs the attribute %s", ErrRequest, i, required)
			}
		}
	}
	return data, nil
}

// isStructuredCloudEvent reports whether a body is CloudEvents in structured mode, one or a batch.
func isStructuredCloudEvent(header http.Header) bool {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return media == "application/cloudevents+json" || media == "application/cloudevents-batch+json"
}

func writeData(b *bytes.Buffer, data []byte, contentType string) {
	switch {
	case len(data) == 0:
	case isJSONType(contentType) && json.Valid(data):
		b.WriteString(`,"data":`)
		b.Write(data)
	case !isJSONType(contentType) && utf8.Valid(data):
		b.WriteString(`,"data":`)
		writeJSON(b, string(data))
	default:
		b.WriteString(`,"data_base64":`)
		writeJSON(b, base64.StdEncoding.EncodeToString(data))
	}
}

// isJSONType reports whether data of this type is JSON; without a type it is.
func isJSONType(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return contentType == "" || strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

func writeJSON(b *bytes.Buffer, s string) {
	text, _ := json.Marshal(s) // a string always has a JSON form
	b.Write(text)
}
