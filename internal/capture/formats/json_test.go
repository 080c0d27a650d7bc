package formats_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// What is taken for JSON is what the standard library takes for it.
func FuzzValidJSON(f *testing.F) {
	for _, text := range []string{
		"\"\x05\\b\"", "\"\\b\x05\"", "{\"a\x01\":1}", "{\"a\\n\x01\":1}", "\"\t\"", "{\n\t\"a\": \"\\\"\"\r\n}", `"\u12"`, `"\uD800"`, `"\x"`, `"\\"`,
		"\"\xff\x7f\"", " 1 ", "01", "1.", "-", "-0", "1e5", "1e+", "tru", `{"a":1,}`, `[1,2,{}]`, `"a\`, "\\\"\x01", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if want := json.Valid(text); formats.ValidJSON(text) != want {
			t.Errorf("%q: valid %v, want %v", text, !want, want)
		}
		_, err := fastjson.ParseBytes(text)
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) >= fastjson.MaxDepth {
			return // the parser bounds the depth
		}
		if got := err == nil && formats.ValidParsed(text); got != json.Valid(text) {
			t.Errorf("%q, parsed: valid %v, want %v", text, got, !got)
		}
	})
}
