package promotion

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"assay/internal/test/program"
)

func TestEndpoints(t *testing.T) {
	for _, e := range []Endpoint{
		{}, {URL: "registry.example"}, {URL: "ftp://registry.example"}, {URL: "https://"}, {URL: "http://a b"},
		{URL: "http://r", CAFile: "no such file"}, {URL: "http://r", CAFile: "transport_test.go"}, {URL: "http://r", Proxy: "nowhere"},
	} {
		if _, err := Open(KindCoReason, e); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if _, err := Open("other", Endpoint{URL: "http://r"}); !errors.Is(err, ErrOptions) {
		t.Errorf("another kind: %v", err)
	}
	if _, err := NewMCP(Endpoint{URL: "http://r", Namespace: "com/example"}); !errors.Is(err, ErrOptions) {
		t.Errorf("a namespace with a slash: %v", err)
	}
	r, err := Open(KindCoReason, Endpoint{URL: "https://user:pass@r.example/prefix/"})
	if err != nil || r.Name() != "coreason https://user:xxxxx@r.example/prefix/" {
		t.Errorf("name %v, error %v", r, err)
	}
	if got := r.(*CoReason).publish.Path; got != "/prefix/api/v1/registry/capabilities/publish" {
		t.Errorf("path is %s", got)
	}
}

// A registry whose certificate another authority signed is trusted once that authority is configured.
func TestCertificateAuthority(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerURN(w, r) }))
	defer s.Close()
	s.Config.ErrorLog = nil
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for ca, want := range map[string]error{"": ErrUnavailable, file: nil} {
		r, err := Open(KindCoReason, Endpoint{URL: s.URL, CAFile: ca})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, want) {
			t.Errorf("authorities %q: %v", ca, err)
		}
		r.Close()
	}
}

func TestProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Host
		answerURN(w, r)
	}))
	defer proxy.Close()
	r, err := Open(KindCoReason, Endpoint{URL: "http://registry.example", Proxy: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Publish(t.Context(), promotionOf(t, 0)); err != nil || asked != "registry.example" {
		t.Errorf("the proxy was asked for %q, error %v", asked, err)
	}
}

func TestRetryAfterHeader(t *testing.T) {
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "1.5": 0, "0": 0, "120": 2 * time.Minute,
		"999999": retryAfterMax, "99999999999999999999999": retryAfterMax,
		date.Add(time.Hour).Format(http.TimeFormat):   time.Hour,
		date.Add(-time.Hour).Format(http.TimeFormat):  0,
		date.AddDate(5, 0, 0).Format(http.TimeFormat): retryAfterMax,
	} {
		a := answer{header: http.Header{"Retry-After": {value}, "Date": {date.Format(http.TimeFormat)}}}
		if got := a.retryAfter(); got != want {
			t.Errorf("Retry-After %q is %v, want %v", value, got, want)
		}
	}
}

// A refused connection leaves no doubt, a broken one does.
func TestWhatMayHaveBeenSent(t *testing.T) {
	s := newStub(t, misbehaviours["publishes but the answer is lost"])
	if _, err := s.registry(t).Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, ErrUnanswered) {
		t.Errorf("a lost answer: %v", err)
	}
	r, err := Open(KindCoReason, Endpoint{URL: (&url.URL{Scheme: "http", Host: program.FreeAddress(t)}).String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Publish(t.Context(), promotionOf(t, 0)); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnanswered) {
		t.Errorf("a refused connection: %v", err)
	}
}
