package pages

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everyPage is a request of each page, in each of its states.
var everyPage = []string{
	"/", "/?since=14d", "/workflows", "/workflows?q=wf", "/workflow?id=wf-1", "/workflow?id=wf-1&view=timeline", "/workflow?id=wf-1&from=end", "/workflow?id=wf-1&at=2026-03-02T15:04:00Z",
	"/item?id=00000000-0000-5000-8000-000000000002", "/recall", "/recall?q=path&workflow=wf-1",
	"/recall?q=nothing", "/capabilities", "/calls", "/calls?capability=model-1&provider=provider&since=3d&from=2026-03-02T10:00&to=2026-03-02T12:00", "/calls?errors=1&cursor=c2",
	"/event?id=ev-1", "/event?id=ev-2", "/forget?id=wf-1", "/fleet", "/graph", "/graph?node=read_file", "/graph?workflow=wf-1&errors=1&workflows=1", "/promotions",
	"/promotions?state=rejected", "/promotion?id=p0", "/promotion?id=p1", "/promotion?id=p2", "/dead", "/audit", "/login", "/login?refused=1&next=/dead",
}

func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	return answer
}

func TestEveryPage(t *testing.T) {
	h := serveBook(newBook())
	for _, target := range everyPage {
		if answer := get(t, h, target); answer.Code != http.StatusOK {
			t.Errorf("%s: %d %s", target, answer.Code, answer.Body)
		}
	}
}
