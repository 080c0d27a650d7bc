package mapping_test

import (
	"errors"
	"strings"
	"testing"

	"assay/internal/capture/mapping"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " , ": "",
		"intent=call_id, workflow = session.id": "workflow=session.id,intent=call_id",
		"text=été":                              "text=été",
	} {
		m, err := mapping.Parse(text)
		if err != nil || m.String() != want {
			t.Errorf("%q: %q, %v", text, m, err)
		}
		again, err := mapping.Parse(m.String())
		if err != nil || again.String() != want {
			t.Errorf("%q again: %q, %v", text, again, err)
		}
	}
	for text, said := range map[string]string{
		"session=x": `no field "session"`, "workflow": "needs the name", "workflow=": "needs the name", "workflow=a..b": "needs the name",
		"tool=a,tool=b": "twice", "text=" + strings.Repeat("x", mapping.BytesMax): "bytes", "text=a\nb": "needs the name",
	} {
		if _, err := mapping.Parse(text); !errors.Is(err, mapping.ErrMapping) || !strings.Contains(err.Error(), said) {
			t.Errorf("%.40q: %v, want %q", text, err, said)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("workflow=a.b,intent=c")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := mapping.Parse(text)
		if err != nil {
			return
		}
		if again, err := mapping.Parse(m.String()); err != nil || again.String() != m.String() {
			t.Errorf("%q becomes %q, then %q, %v", text, m, again, err)
		}
	})
}
