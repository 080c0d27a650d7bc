package pages

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"assay/internal/query"
)

// deadShown is how many dead letters a page has, deadBytes how many bytes it shows of each.
const (
	deadShown = 100
	deadBytes = 2_000
)

type deadPage struct {
	*query.DeadList
	Later string `json:"-"` // link to the next page, "" if there is none
}

func (s *site) dead(r *http.Request) (*page, error) {
	found, err := s.View.Dead(r.Context(), query.DeadRequest{Limit: deadShown, Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return nil, err
	}
	p := deadPage{DeadList: found}
	if found.Next != "" {
		p.Later = with(r.URL, "cursor", found.Next)
	}
	return &page{Template: "dead", Title: "Dead letters", Section: "dead", Live: "*", Data: p}, nil
}

// raw shows bytes as text where they are text; what is not is marked, and what is long is cut.
func raw(bytes []byte) string {
	text := clip(deadBytes, string(bytes))
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, text)
}
