// Package httpguard keeps web pages of other sites out of a server on this machine.
//
//	request ──► Host is one of ours? ──► Origin is ours? ──► handler
//	             (else DNS rebinding)     (else another site's page, form, script or WebSocket)
//
// A loopback address is no protection from the user's own browser: any page may send requests there, and one whose name
// was made to resolve to it may read the answers too. Programs, which send no Origin, pass.
package httpguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// ErrOption means that a host or an origin is not written as one.
var ErrOption = errors.New("httpguard: unusable option")

// Options say who is let in besides loopback's names and pages of the server itself.
type Options struct {
	// Listen is the host:port that is listened on. Its host is one of the server's names; where it is no particular address,
	// as in 0.0.0.0:7070, each IP address is, for an address cannot be made to resolve to another one.
	Listen string
	// Hosts are further names of the server, without port, such as assay.example. "*" stands for any name: only for a server
	// that asks for a token.
	Hosts []string
	// Origins are the origins of other pages that may send requests, such as https://dashboard.example.
	Origins []string
	// Open are paths that anybody may get, such as /healthz.
	Open []string
}

// Guard is next behind the check of Host and Origin; what does not pass is answered with 403 Forbidden. Errors wrap
// ErrOption.
func Guard(next http.Handler, opts Options) (http.Handler, error) {
	g := &guard{next: next, opts: opts, names: map[string]bool{"localhost": true}, crossOrigin: http.NewCrossOriginProtection()}
	if host, _, err := net.SplitHostPort(opts.Listen); err == nil {
		address, err := netip.ParseAddr(host)
		g.anyAddress = host == "" || err == nil && address.IsUnspecified()
		if host != "" {
			g.names[strings.ToLower(host)] = true
		}
	}
	for _, host := range opts.Hosts {
		if host == "" || strings.ContainsAny(host, "/ @") || hostOf(host) != strings.ToLower(strings.Trim(host, "[]")) {
			return nil, fmt.Errorf("%w: host %q is not a name without port, such as assay.example", ErrOption, host)
		}
		g.names[hostOf(host)] = true
	}
	for _, origin := range opts.Origins {
		if err := g.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("%w: origin %q is not a scheme and a host, such as https://dashboard.example: %w", ErrOption, origin, err)
		}
	}
	return g, nil
}

type guard struct {
	next        http.Handler
	opts        Options
	names       map[string]bool // of the server, in lower case
	anyAddress  bool
	crossOrigin *http.CrossOriginProtection
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && slices.Contains(g.opts.Open, r.URL.Path):
	case !g.isOurs(r.Host):
		refuse(w, fmt.Sprintf("host %q is not a name of this server", r.Host), "add it to http.hosts if it is")
		return
	// Its own check lets GETs pass whatever their origin. A WebSocket begins with one, and the browser lets any page open it.
	case g.crossOrigin.Check(r) != nil, !g.isTrusted(r):
		refuse(w, fmt.Sprintf("a page of %q may not use this server", r.Header.Get("Origin")), "add its origin to http.origins if it may")
		return
	}
	g.next.ServeHTTP(w, r)
}

// isOurs reports whether the host that a request names is this server.
func (g *guard) isOurs(hostport string) bool {
	host := hostOf(hostport)
	if g.names[host] || g.names["*"] {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (g.anyAddress || address.Unmap().IsLoopback())
}

// isTrusted reports whether the page that sent a request, if one did, is the server's own or listed.
func (g *guard) isTrusted(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	if slices.Contains(g.opts.Origins, origins[0]) {
		return true
	}
	page, err := url.Parse(origins[0])
	return err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host)
}

// hostOf is a host without its port and brackets, in lower case.
func hostOf(hostport string) string {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func refuse(w http.ResponseWriter, why, remedy string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": "httpguard: " + why, "remedy": remedy})
}
