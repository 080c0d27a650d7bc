package pages

import (
	"fmt"
	"net/http"
	"net/url"

	"assay/internal/query"
)

type promotionList struct {
	*query.PromotionList          // newest first
	State                string   `json:"-"`
	States               []string `json:"-"`
	Older                string   `json:"-"` // link to the next page, "" if there is none
	Rejected             bool     `json:"-"` // there are some on the page
	Done                 bool     `json:"-"` // an action led here
}

// promotionsShown is how many promotions a page has.
const promotionsShown = 200

func (s *site) promotions(r *http.Request) (*page, error) {
	p := promotionList{
		State: r.URL.Query().Get("state"), States: []string{query.StatePending, query.StateRejected, query.StatePublished},
		Done: r.URL.Query().Has("done"),
	}
	var err error
	p.PromotionList, err = s.View.Promotions(r.Context(), query.PromotionsRequest{
		State: p.State, Newest: true, Limit: promotionsShown, Cursor: r.URL.Query().Get("cursor"),
	})
	if err != nil {
		return nil, err
	}
	for _, promotion := range p.Promotions {
		p.Rejected = p.Rejected || promotion.State == query.StateRejected
	}
	if p.Next != "" {
		p.Older = with(r.URL, "cursor", p.Next)
	}
	return &page{Template: "promotions", Title: "Promotions", Section: "promotions", Live: "*", Data: p}, nil
}

type promotionPage struct {
	*query.PromotionDetail
	Done bool `json:"-"` // an action led here
}

func (s *site) promotion(r *http.Request) (*page, error) {
	found, err := s.View.Promotion(r.Context(), r.URL.Query().Get("id"))
	if err != nil {
		return nil, err
	}
	return &page{
		Template: "promotion", Title: "Promotion " + firstLine(120, found.EventCID), Section: "promotions", Live: "*",
		Data: promotionPage{found, r.URL.Query().Has("done")},
	}, nil
}

// retry makes one promotion due, or all that are rejected, and shows what became of them.
func (s *site) retry(w http.ResponseWriter, r *http.Request) {
	s.steer(w, r, func(id string) error {
		if id != "" {
			return s.View.RetryPromotion(r.Context(), id)
		}
		if r.PostForm.Get("state") != query.StateRejected {
			return fmt.Errorf("%w: name a promotion", query.ErrRequest)
		}
		_, err := s.View.RetryRejected(r.Context())
		return err
	})
}

func (s *site) reject(w http.ResponseWriter, r *http.Request) {
	s.steer(w, r, func(id string) error { return s.View.RejectPromotion(r.Context(), id, r.PostForm.Get("reason")) })
}

func (s *site) steer(w http.ResponseWriter, r *http.Request, act func(id string) error) {
	if !s.form(w, r) {
		return
	}
	id := r.PostForm.Get("id")
	if err := act(id); err != nil {
		s.refuse(w, r, err)
		return
	}
	path, shown := "/promotions", url.Values{"done": {"1"}}
	if id != "" {
		path = "/promotion"
		shown.Set("id", id)
	}
	http.Redirect(w, r, path+"?"+shown.Encode(), http.StatusSeeOther)
}
