package pages

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"assay/internal/fleet"
	"assay/internal/ops/audit"
	"assay/internal/query"
	"assay/streams"
)

// Auditor compares the tables with the log, and the log with its chain of hashes. An app.Pipeline does.
type Auditor interface {
	Audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error)
	VerifyChain(ctx context.Context, anchors []streams.Anchor, progress func(done, total uint64)) (*streams.ChainReport, error)
	Checkpoints(ctx context.Context) ([]streams.Checkpoint, error)
}

// Options configure the pages.
type Options struct {
	View   query.View
	Audit  Auditor
	Fleet  func(ctx context.Context) (*fleet.Status, error) // nil: this is no fleet
	Token  string                                           // "" if the API asks for none
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
}

//go:embed html/*.html
var htmlFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// site serves the pages.
type site struct {
	Options
	templates map[string]*template.Template
	meter     meter
}

// page is what a handler answers.
type page struct {
	Template string // its name below html/, without extension
	Title    string
	Section  string // of the navigation
	Live     string // the workflow whose events make the page worth fetching again, "*" for any, "" for none
	Data     any    // for the template, and as JSON

	Sections []section // of the navigation
	SignOut  bool      // there is a token, so one can sign out
	JSON     string    // link to the data
	Status   int       // 0: 200
}

type handler func(r *http.Request) (*page, error)

// Route is a method and path, as net/http matches them, and what answers there.
type Route struct {
	Pattern string
	Handler http.Handler
}

// Routes returns the pages. Those in open are for everybody: the form to sign in with, and what it is drawn with; whether a
// request for one of the others is allowed is for the caller to know, with the help of SignedIn.
func Routes(opts Options) (protected, open []Route) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &site{Options: opts, templates: parse()}
	act := func(pattern string, do http.HandlerFunc) Route {
		return Route{"POST " + pattern, guarded(http.NewCrossOriginProtection().Handler(do))}
	}
	show := func(pattern string, made handler) Route { return Route{"GET " + pattern, guarded(s.serve(made))} }
	protected = []Route{
		show("/{$}", s.overview),
		show("/workflows", s.workflows),
		show("/workflow", s.workflow),
		{"GET /export", guarded(http.HandlerFunc(s.export))},
		show("/item", s.item),
		show("/event", s.event),
		show("/forget", s.forget),
		act("/forget", s.runForget),
		show("/recall", s.recall),
		show("/capabilities", s.capabilities),
		show("/calls", s.calls),
		show("/graph", s.graph),
		show("/promotions", s.promotions),
		show("/promotion", s.promotion),
		act("/promotions/retry", s.retry),
		act("/promotions/reject", s.reject),
		show("/dead", s.dead),
		show("/audit", s.audit),
		act("/audit", s.runAudit),
		show("/fleet", s.fleet),
	}
	open = []Route{
		show("/login", s.login),
		act("/login", s.signIn),
		act("/logout", s.signOut),
		{"GET /assets/", guarded(assets())},
	}
	return protected, open
}

// policy lets a page use what this server serves and nothing else: no inline code or style, no frames.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // none at all would make the origin of the pages' own forms null
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// assets serves style, script and icon. They change with the program only, so a browser asks again but seldom gets them again.
func assets() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// parse reads the templates: each page is the layout and the parts with its own body.
func parse() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions).ParseFS(htmlFiles, "html/layout.html", "html/parts.html"))
	names, err := fs.Glob(htmlFiles, "html/*.html")
	if err != nil {
		panic(err) // the pattern is a literal
	}
	parsed := map[string]*template.Template{}
	for _, name := range names {
		parsed[strings.TrimSuffix(strings.TrimPrefix(name, "html/"), ".html")] =
			template.Must(template.Must(shared.Clone()).ParseFS(htmlFiles, name))
	}
	return parsed
}

// serve answers with what show makes: JSON where that is asked for, else HTML. Nothing is sent before all of it is made.
func (s *site) serve(show handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made, err := show(r)
		if err != nil {
			made = s.failed(err)
		}
		if r.URL.Query().Get("format") == "json" {
			s.writeJSON(w, made)
			return
		}
		s.dress(made)
		if r.Method == http.MethodGet {
			made.JSON = with(r.URL, "format", "json")
		}
		var body bytes.Buffer
		if err := s.templates[made.Template].ExecuteTemplate(&body, "layout.html", made); err != nil {
			s.Logger.Error("page failed", "page", made.Template, "error", err)
			http.Error(w, "the page could not be made; the log of the server says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		s.write(w, made.Status, body.Bytes())
	})
}

// dress adds what pages have around them. The form to sign in has nothing.
func (s *site) dress(made *page) {
	if made.Section == "" {
		return
	}
	made.SignOut, made.Sections = s.Token != "", sections
	if s.Fleet != nil {
		made.Sections = append(slices.Clone(sections), section{"fleet", "/fleet", "Fleet"})
	}
}

func (s *site) writeJSON(w http.ResponseWriter, made *page) {
	text, err := json.MarshalIndent(made.Data, "", "  ")
	if err != nil {
		s.Logger.Error("page failed", "page", made.Template, "error", err)
		http.Error(w, "the page could not be made; the log of the server says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.write(w, made.Status, append(text, '\n'))
}

func (s *site) write(w http.ResponseWriter, status int, body []byte) {
	if status != 0 {
		w.WriteHeader(status)
	}
	if _, err := w.Write(body); err != nil {
		s.Logger.Debug("client went away", "error", err)
	}
}

// failure is the page of an error.
type failure struct {
	Error string `json:"error"`
}

func (s *site) failed(err error) *page {
	made := &page{Template: "error", Title: "Not possible", Section: "error", Data: failure{err.Error()}}
	switch {
	case errors.Is(err, query.ErrNotFound):
		made.Title, made.Status = "Not found", http.StatusNotFound
	case errors.Is(err, query.ErrRequest):
		made.Title, made.Status = "Not understood", http.StatusBadRequest
	case errors.Is(err, query.ErrConflict):
		made.Title, made.Status = "Not possible now", http.StatusConflict
	default:
		s.Logger.Error("page failed", "error", err)
		made.Title, made.Status = "Failed", http.StatusInternalServerError
	}
	return made
}
