package pages

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"assay/internal/query"
)

// cookieName is that of the cookie that stands for the token.
const cookieName = "assay_session"

// SignedIn reports whether a request comes from a browser that signed in with token.
func SignedIn(r *http.Request, token string) bool {
	cookie, err := r.Cookie(cookieName)
	return err == nil && hmac.Equal([]byte(cookie.Value), []byte(session(token)))
}

// AskToSignIn sends a browser that wants a page to the form, and reports whether it did. Programs get their error.
func AskToSignIn(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/v1/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	return true
}

// session is the cookie's value. It is not the token, so who sees the cookie can read pages and no more; another token makes
// another session.
func session(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("assay pages"))
	return hex.EncodeToString(mac.Sum(nil))
}

type loginForm struct {
	Next    string `json:"next"`
	Refused bool   `json:"refused,omitempty"`
}

func (s *site) login(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	return &page{Template: "login", Title: "Sign in", Data: loginForm{local(asked.Get("next")), asked.Has("refused")}}, nil
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	next := local(r.PostForm.Get("next"))
	got, want := sha256.Sum256([]byte(r.PostForm.Get("token"))), sha256.Sum256([]byte(s.Token))
	if s.Token != "" && subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		http.Redirect(w, r, "/login?"+url.Values{"next": {next}, "refused": {"1"}}.Encode(), http.StatusSeeOther)
		return
	}
	setCookie(w, r, session(s.Token), 0)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// local is where to go next: a path of this server, whatever was asked for.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// maxForm bounds the body of an action, in bytes.
const maxForm = 64 << 10

// form reads what was posted; where it cannot, it answers and returns false.
func (s *site) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, fmt.Errorf("%w: the form cannot be read: %w", query.ErrRequest, err))
		return false
	}
	return true
}

// refuse answers an action with the page of an error.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.serve(func(*http.Request) (*page, error) { return nil, err }).ServeHTTP(w, r)
}
