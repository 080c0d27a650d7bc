package pages

import (
	"fmt"
	"net/http"

	"assay/internal/fleet"
	"assay/internal/query"
)

// fleetPage is who works on the log, and how far each partition is behind.
type fleetPage struct {
	*fleet.Status
	Owned map[string]int `json:"-"` // partitions of a member
	Alone int            `json:"-"` // partitions without an owner
}

func (s *site) fleet(r *http.Request) (*page, error) {
	if s.Fleet == nil {
		return nil, fmt.Errorf("%w: this is no fleet", query.ErrNotFound)
	}
	found, err := s.Fleet(r.Context())
	if err != nil {
		return nil, err
	}
	p := fleetPage{Status: found, Owned: map[string]int{}}
	for _, of := range found.Partitions {
		if of.Owner == "" {
			p.Alone++
		}
		p.Owned[of.Owner]++
	}
	return &page{Template: "fleet", Title: "Fleet", Section: "fleet", Live: "*", Data: p}, nil
}
