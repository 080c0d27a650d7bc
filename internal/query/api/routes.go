package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"assay/internal/httpguard"
	"assay/internal/query/pages"
)

// route is a method and path, as net/http matches them, and what answers there.
type route struct {
	pattern string
	handler http.Handler
}

// routes are what is answered to those who have the token.
func (a *api) routes() []route {
	return []route{
		{"POST /v1/ingest", a.Ingest},
		{"POST /v1/ingest/{source}/{workflow...}", a.Ingest},
		{"GET /v1/ingest/{source}/{workflow...}", a.Ingest},
		{"GET /v1/forward/{edge}", a.Forward},
		{"POST /v1/forward/{edge}", a.Forward},
		{"POST /v1/traces", a.Traces},
		{"POST /v1/logs", a.Logs},
		{"GET /v1/live", a.Live},
		{"GET /v1/workflows", http.HandlerFunc(a.workflows)},
		{"GET /v1/workflows/{id...}", http.HandlerFunc(a.workflow)},
		{"DELETE /v1/workflows/{id...}", http.HandlerFunc(a.forget)},
		{"GET /v1/workflows/{id}/conversation", http.HandlerFunc(a.conversation)},
		{"GET /v1/items/{id}", http.HandlerFunc(a.item)},
		{"GET /v1/calls", http.HandlerFunc(a.calls)},
		{"GET /v1/events/{id}", http.HandlerFunc(a.event)},
		{"GET /v1/settled", http.HandlerFunc(a.settled)},
		{"POST /v1/recall", http.HandlerFunc(a.recall)},
		{"GET /v1/capabilities", http.HandlerFunc(a.capabilities)},
		{"GET /v1/graph", http.HandlerFunc(a.graph)},
		{"GET /v1/promotions", http.HandlerFunc(a.promotions)},
		{"GET /v1/promotions/{id}", http.HandlerFunc(a.promotion)},
		{"POST /v1/promotions/retry", http.HandlerFunc(a.retryRejected)},
		{"POST /v1/promotions/{id}/retry", http.HandlerFunc(a.retryPromotion)},
		{"POST /v1/promotions/{id}/reject", http.HandlerFunc(a.rejectPromotion)},
		{"GET /v1/dead", http.HandlerFunc(a.dead)},
		{"GET /v1/replay", a.Replay},
		{"POST /v1/audit", http.HandlerFunc(a.audit)},
		{"GET /v1/audit/checkpoints", http.HandlerFunc(a.checkpoints)},
		{"GET /v1/status", http.HandlerFunc(a.status)},
		{"GET /v1/fleet", http.HandlerFunc(a.fleet)},
		{"/mcp", a.MCP},
		{"GET /metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{})},
	}
}

// open are the paths for those who have no token: health, without details.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// Handler is the API without a listener. Its errors are httpguard's.
func Handler(opts Options) (http.Handler, error) {
	a := &api{Options: opts}
	protected, all := http.NewServeMux(), http.NewServeMux()
	for _, r := range a.routes() {
		if r.handler != nil {
			protected.Handle(r.pattern, r.handler)
		}
	}
	closed, open := a.pages()
	for _, page := range closed {
		protected.Handle(page.Pattern, page.Handler)
	}
	for _, page := range open {
		all.Handle(page.Pattern, page.Handler)
	}
	all.Handle("/", a.bearer(protected))
	all.HandleFunc("GET "+healthPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	all.HandleFunc("GET "+readyPath, a.ready)
	return httpguard.Guard(all, httpguard.Options{
		Listen: opts.Listen, Hosts: opts.Hosts, Origins: opts.Origins, Open: []string{healthPath, readyPath},
	})
}

// pages are for people. Those in open are for people who have not signed in.
func (a *api) pages() (closed, open []pages.Route) {
	return pages.Routes(pages.Options{View: a.View, Audit: a.Audit, Fleet: a.Fleet, Token: a.Token, Logger: a.Logger})
}

// bearer lets only requests with the token through, and those of browsers that signed in with it. A browser that has not is
// asked to.
func (a *api) bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.hasToken(r) && !pages.SignedIn(r, a.Token) {
			if pages.AskToSignIn(w, r) {
				return
			}
			w.Header().Set("WWW-Authenticate", "Bearer")
			respond(w, http.StatusUnauthorized, failure{wrongToken(r)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hasToken compares digests, so that neither length nor content leaks.
func (a *api) hasToken(r *http.Request) bool {
	if a.Token == "" {
		return true
	}
	want, got := sha256.Sum256([]byte("Bearer "+a.Token)), sha256.Sum256([]byte(r.Header.Get("Authorization")))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func wrongToken(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return "a bearer token is needed: send Authorization: Bearer …, or set ASSAY_HTTP_TOKEN or --http-token for the command"
	}
	return "the bearer token is not this server's: check ASSAY_HTTP_TOKEN or --http-token"
}

// ready tells anybody whether the pipeline works, and why not, or what is to be looked into, only those who may ask the rest.
// Its path is open, so that a name that was made to resolve here is no way to read it.
func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	warnings, err := a.Ready(r.Context())
	trusted := a.Token != "" && a.hasToken(r) || a.Token == "" && loopback(r.Host)
	switch {
	case err != nil && trusted:
		respond(w, http.StatusServiceUnavailable, failure{err.Error()})
	case err != nil:
		respond(w, http.StatusServiceUnavailable, failure{"not ready; assay status tells why"})
	default:
		fmt.Fprintln(w, "ready")
	}
	if err != nil || !trusted {
		return
	}
	for _, warning := range warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
}

// loopback reports whether a host, with or without port, is this machine's own.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
