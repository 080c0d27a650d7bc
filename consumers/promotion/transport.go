package promotion

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Limits of an exchange with a registry.
const (
	answerBytesMax     = 1 << 20
	reasonBytesMax     = 500
	retryAfterMax      = 24 * time.Hour // a registry that asks for more is asked once a day
	idleConnectionsMax = 16
	idleConnectionAge  = 30 * time.Second
	tokenBytesMax      = 64 << 10
)

// Endpoint says where a registry is and how to reach it.
type Endpoint struct {
	URL       string // http or https; a path in it is kept as a prefix
	TokenFile string // file that holds the bearer token, read for each request; "" for none
	TokenEnv  string // environment variable that holds it, read for each request if there is no file; "" for none
	CAFile    string // PEM file with certificate authorities to trust besides the system's; "" for none
	Proxy     string // URL of a proxy; "" takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY
	Namespace string // under which an MCP Registry lists servers, in reverse DNS form; "" takes the anonymous one
}

// transport sends requests to one registry.
type transport struct {
	endpoint Endpoint
	base     *url.URL
	client   *http.Client
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newTransport(e Endpoint) (*transport, error) {
	base, err := url.Parse(e.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%w: registry address %q is not like https://registry.example", ErrOptions, e.URL)
	}
	roots, err := e.roots()
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if e.Proxy != "" {
		through, err := url.Parse(e.Proxy)
		if err != nil || through.Host == "" {
			return nil, fmt.Errorf("%w: proxy %q is not an address", ErrOptions, e.Proxy)
		}
		proxy = http.ProxyURL(through)
	}
	return &transport{endpoint: e, base: base, client: &http.Client{
		// A redirect is reported, not followed: it would carry the token elsewhere and turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: proxy, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: idleConnectionsMax, IdleConnTimeout: idleConnectionAge,
		},
	}}, nil
}

func (e Endpoint) roots() (*x509.CertPool, error) {
	if e.CAFile == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(e.CAFile)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate authorities: %w", ErrOptions, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: no certificate in %s", ErrOptions, e.CAFile)
	}
	return roots, nil
}

// token is read for each request, so that it can be renewed while the program runs.
func (e Endpoint) token() (string, error) {
	if e.TokenFile == "" {
		return strings.TrimSpace(os.Getenv(e.TokenEnv)), nil
	}
	f, err := os.Open(e.TokenFile)
	if err != nil {
		return "", err
	}
	defer f.Close()
	token, err := io.ReadAll(io.LimitReader(f, tokenBytesMax+1))
	if len(token) > tokenBytesMax {
		return "", fmt.Errorf("%s has more than %d bytes: is it a token?", e.TokenFile, tokenBytesMax)
	}
	return strings.TrimSpace(string(token)), err
}

// Close implements Registry for those that embed a transport.
func (t *transport) Close() { t.client.CloseIdleConnections() }

// exchange sends one request and reads its answer, whatever its status. Its errors are Failures: ErrUnanswered once a
// connection was there to send on, ErrUnavailable before that.
func (t *transport) exchange(ctx context.Context, method string, target *url.URL, header http.Header, body []byte) (*answer, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	fail := func(err error) error {
		f := &Failure{Kind: ErrUnavailable, Reason: excerpt(err.Error()), Err: err}
		if connected.Load() {
			f.Kind = ErrUnanswered
		}
		return f
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fail(err)
	}
	token, err := t.endpoint.token()
	if err != nil {
		return nil, fail(fmt.Errorf("read the bearer token: %w", err))
	}
	request.Header = header.Clone()
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := t.client.Do(request)
	if err != nil {
		return nil, fail(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return nil, fail(fmt.Errorf("read the answer: %w", err))
	}
	return &answer{status: response.StatusCode, header: response.Header, body: read}, nil
}

// credentialStatuses say that we may not publish, not that the promotion may not be published: an expired token must not
// reject all that waits.
var credentialStatuses = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired}

// failure is what the answer's status means: nil for success, else a Failure.
func (a *answer) failure() error {
	if a.status >= 200 && a.status <= 299 {
		return nil
	}
	f := &Failure{Kind: ErrRejected, RetryAfter: a.retryAfter(), Reason: a.describe()}
	switch {
	case a.status == http.StatusTooManyRequests:
		f.Kind = ErrUnavailable
	case slices.Contains(credentialStatuses, a.status):
		f.Kind, f.Reason = ErrUnavailable, excerpt("refuses our credentials: check the registry's token: "+a.describe())
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		f.Kind = ErrUnanswered // it may have been done before something else failed
	case a.status < 400:
		f.Kind, f.Reason = ErrUnavailable, excerpt("redirects to "+a.header.Get("Location")+": configure that address")
	}
	return f
}

// garbage is the Failure of an answer that claims success and cannot be understood.
func (a *answer) garbage(missing string) error {
	return &Failure{Kind: ErrUnanswered, Reason: excerpt("answer without " + missing + ": " + a.describe())}
}

func (a *answer) describe() string {
	return excerpt(fmt.Sprintf("%d %s: %s", a.status, http.StatusText(a.status), a.body))
}

// retryAfter reads seconds or a date; a date counts from the registry's own clock where it tells it.
func (a *answer) retryAfter() time.Duration {
	value := a.header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(retryAfterMax/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), retryAfterMax)
}

// excerpt is the beginning of a text, on one line.
func excerpt(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > reasonBytesMax {
		s = strings.ToValidUTF8(s[:reasonBytesMax-3], "") + "..."
	}
	return s
}
