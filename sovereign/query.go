package sovereign

import (
	"encoding/json"
	"fmt"

	"assay/sovereign/schema"
)

// description is a query as the native library takes it (type Query in native/src/query.rs).
type description struct {
	Columns []string        `json:"columns,omitempty"`
	Filter  string          `json:"filter,omitempty"`
	OrderBy []orderBy       `json:"order_by,omitempty"`
	Limit   int             `json:"limit,omitempty"`
	Offset  int             `json:"offset,omitempty"`
	Nearest *nearestVectors `json:"nearest,omitempty"`
	Match   *matchingText   `json:"match,omitempty"`
}

type orderBy struct {
	Column     string `json:"column"`
	Descending bool   `json:"descending"`
}

type nearestVectors struct {
	Column string    `json:"column"`
	Vector []float32 `json:"vector"`
	Count  int       `json:"count"`
	Exact  bool      `json:"exact"`
	Cosine bool      `json:"cosine"`
	Refine int       `json:"refine,omitempty"`
	Effort float64   `json:"effort"`
	Few    int       `json:"few"`
}

type matchingText struct {
	Column string `json:"column"`
	Text   string `json:"text"`
}

// describe renders a query for the native library, or says what is wrong with it.
func describe(q schema.Query) (string, error) {
	if err := checkQuery(q); err != nil {
		return "", err
	}
	d := description{Columns: q.Columns, Filter: q.Where.SQL(), Limit: q.Limit, Offset: q.Offset}
	for _, o := range q.OrderBy {
		d.OrderBy = append(d.OrderBy, orderBy(o))
	}
	if n := q.Nearest; n != nil {
		d.Nearest = &nearestVectors{
			Column: n.Column, Vector: n.Vector, Count: q.Limit + q.Offset, Exact: n.Exact, Cosine: true,
			Refine: refineFactor, Effort: searchEffort, Few: fewRows,
		}
		if n.Coarse {
			d.Nearest.Refine = 0
		}
	}
	if m := q.Match; m != nil {
		d.Match = &matchingText{Column: m.Column, Text: m.Text}
	}
	text, err := json.Marshal(d)
	if err != nil { // a vector with a NaN or an infinity
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return string(text), nil
}

func checkQuery(q schema.Query) error {
	ranked := q.Nearest != nil || q.Match != nil
	switch {
	case q.Limit < 0 || q.Offset < 0:
		return fmt.Errorf("%w: limit %d and offset %d must not be negative", ErrInvalid, q.Limit, q.Offset)
	case q.Nearest != nil && q.Match != nil:
		return fmt.Errorf("%w: a query is by vector or by text, not both", ErrInvalid)
	case ranked && q.Limit == 0:
		return fmt.Errorf("%w: a query by vector or by text needs a limit", ErrInvalid)
	case ranked && len(q.OrderBy) > 0:
		return fmt.Errorf("%w: a query by vector or by text has its own order", ErrInvalid)
	}
	return nil
}
