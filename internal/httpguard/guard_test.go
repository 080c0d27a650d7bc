package httpguard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"assay/internal/httpguard"
)

func TestGuard(t *testing.T) {
	const own = "127.0.0.1:7070"
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	for _, c := range []struct {
		name         string
		method, path string
		host         string
		header       http.Header
		passes       bool
	}{
		{"a program", "POST", "/v1/recall", own, nil, true},
		{"localhost", "GET", "/", "localhost:7070", nil, true},
		{"IPv6 loopback", "GET", "/", "[::1]:7070", nil, true},
		{"another loopback address", "GET", "/", "127.0.0.2", nil, true},
		{"a listed name", "GET", "/", "ASSAY.example", nil, true},
		{"a rebound name", "GET", "/", "evil.example", nil, false},
		{"a rebound name and port", "POST", "/v1/recall", "evil.example:7070", nil, false},
		{"no host", "GET", "/", "", nil, false},
		{"an address that is not ours", "GET", "/", "10.1.2.3:7070", nil, false},
		{"its own page", "POST", "/v1/recall", own, http.Header{"Origin": {"http://" + own}, "Sec-Fetch-Site": {"same-origin"}}, true},
		{"its own page, by an old browser", "POST", "/v1/recall", own, http.Header{"Origin": {"http://" + own}}, true},
		{"a listed page", "POST", "/v1/recall", own, http.Header{"Origin": {"https://ok.example"}, "Sec-Fetch-Site": {"cross-site"}}, true},
		{"a listed page that reads", "GET", "/v1/workflows", own, http.Header{"Origin": {"https://ok.example"}}, true},
		{"another site's form", "POST", "/v1/ingest/event/w", own, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, false},
		{"another site's form, by an old browser", "POST", "/v1/ingest/event/w", own, http.Header{"Origin": {"https://evil.example"}}, false},
		{"another site without origin", "DELETE", "/v1/workflows/w", own, http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"another port of this machine", "POST", "/", own, http.Header{"Origin": {"http://127.0.0.1:3000"}, "Sec-Fetch-Site": {"same-site"}}, false},
		{"another port that reads", "GET", "/v1/live", own, http.Header{"Origin": {"http://127.0.0.1:3000"}}, false},
		{"a sandboxed page", "GET", "/v1/live", own, http.Header{"Origin": {"null"}}, false},
		{"two origins", "GET", "/", own, http.Header{"Origin": {"http://" + own, "https://evil.example"}}, false},
		{"a program's WebSocket", "GET", "/mcp", own, upgrade, true},
		{"another site's WebSocket", "GET", "/mcp", own, merge(upgrade, "Origin", "https://evil.example"), false},
		{"an open path", "GET", "/healthz", "evil.example", nil, true},
		{"a write to an open path", "POST", "/healthz", "evil.example", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			passed := false
			guard, err := httpguard.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }), httpguard.Options{
				Listen: own, Hosts: []string{"assay.example"}, Origins: []string{"https://ok.example"}, Open: []string{"/healthz"},
			})
			if err != nil {
				t.Fatal(err)
			}
			r, answer := httptest.NewRequest(c.method, c.path, nil), httptest.NewRecorder()
			r.Host = c.host
			if c.header != nil {
				r.Header = c.header
			}
			guard.ServeHTTP(answer, r)
			if passed != c.passes || !passed && answer.Code != http.StatusForbidden {
				t.Errorf("passed: %v, status %d; want passed: %v", passed, answer.Code, c.passes)
			}
		})
	}
}

func merge(h http.Header, name, value string) http.Header {
	h = h.Clone()
	h.Set(name, value)
	return h
}

// A server that listens everywhere has each address for a name, and the names that it is given.
func TestGuardOfAllAddresses(t *testing.T) {
	for host, want := range map[string]int{"10.1.2.3:7070": 200, "[fe80::1]:7070": 200, "assay": 403, "evil.example": 403, "": 403} {
		guard, err := httpguard.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httpguard.Options{Listen: ":7070"})
		if err != nil {
			t.Fatal(err)
		}
		r, answer := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Host = host
		if guard.ServeHTTP(answer, r); answer.Code != want {
			t.Errorf("host %s: %d, want %d", host, answer.Code, want)
		}
	}
}

func TestGuardRefusesWhatIsNoHostOrOrigin(t *testing.T) {
	for _, opts := range []httpguard.Options{
		{Hosts: []string{"http://assay.example"}}, {Hosts: []string{"assay.example:80"}}, {Hosts: []string{""}},
		{Origins: []string{"dashboard.example"}}, {Origins: []string{"https://dashboard.example/path"}},
	} {
		if _, err := httpguard.Guard(http.NotFoundHandler(), opts); !errors.Is(err, httpguard.ErrOption) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}
