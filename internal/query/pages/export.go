package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"assay/internal/query"
)

// Limits of an exported file.
const (
	exportTurns = 100_000
	exportText  = 1 << 20 // bytes of one text
)

// exportPage is a workflow as a file that needs nothing else: style included, no script.
type exportPage struct {
	*query.Conversation
	At     time.Time // as it was then; zero: as it is
	Made   time.Time
	Style  template.CSS // ours
	Policy string
	Most   int
	main   string // the main agent
}

// Strands are the turns, those of sub-agents apart.
func (p *exportPage) Strands() []strand {
	turns := make([]turn, len(p.Turns))
	for i, t := range p.Turns {
		turns[i] = turn{Turn: t}
	}
	return strands(turns, p.main)
}

// export answers with the whole of a workflow as one file of HTML. It is sent page by page, so that it is never held as a whole.
func (s *site) export(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	at, err := chosenTime(asked, s.Now())
	request := query.ConversationRequest{Limit: turnsShown, At: at}
	var c *query.Conversation
	if err == nil {
		c, err = s.View.Conversation(r.Context(), asked.Get("id"), request)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	style, err := assetFiles.ReadFile("assets/style.css")
	if err != nil {
		panic(err) // it is part of the program
	}
	sum := sha256.Sum256(style)
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	w.Header().Set("Content-Security-Policy", policy+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "assay-"+fileName(c.WorkflowID)+".html"))
	p := &exportPage{c, at, s.Now(), template.CSS(style), policy, exportText, mainAgent(c.Turns)}
	out := s.templates["export"]
	err = out.ExecuteTemplate(w, "begin", p)
	for turns := 0; err == nil; turns += len(c.Turns) {
		p.Conversation = c
		if err = out.ExecuteTemplate(w, "turns", p); err != nil || c.Next == "" || turns > exportTurns {
			break
		}
		request.Cursor = c.Next
		c, err = s.View.Conversation(r.Context(), p.WorkflowID, request)
	}
	if err == nil {
		err = out.ExecuteTemplate(w, "end", p)
	}
	if err != nil { // the beginning has gone out: break off, so that it is not taken for the whole
		s.Logger.Debug("export broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// fileName is of an id what every file system takes.
func fileName(id string) string {
	const most = 60
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, clip(most, id))
}
