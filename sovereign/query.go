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
	Fuse    *fusion         `json:"fuse,omitempty"`
	// Distinct and Page are those of schema.Query.
	Distinct bool `json:"distinct,omitempty"`
	Page     int  `json:"page,omitempty"`
}

type orderBy struct {
	Column     string `json:"column"`
	Descending bool   `json:"descending"`
}

type nearestVectors struct {
	Column string    `json:"column"`
	Vector []float32 `json:"vector"`
	Filter string    `json:"filter,omitempty"`
	Exact  bool      `json:"exact"`
	Cosine bool      `json:"cosine"`
	Refine int       `json:"refine,omitempty"`
	Effort float64   `json:"effort"`
	Few    int       `json:"few"`
}

type fusion struct {
	Depth    int     `json:"depth"`
	Constant float64 `json:"constant"`
}

type matchingText struct {
	Column string `json:"column"`
	Text   string `json:"text"`
}

// How a query by vector and text fuses its two lists.
const (
	// fusionDepth is how many rows of each list are fused for one that is returned, fusionMin how many at least.
	fusionDepth = 4
	fusionMin   = 40
)

// describe renders a query for the native library, or says what is wrong with it.
func describe(q schema.Query) (string, error) {
	if err := checkQuery(q); err != nil {
		return "", err
	}
	d := description{Columns: q.Columns, Filter: q.Where.SQL(), Limit: q.Limit, Offset: q.Offset, Distinct: q.Distinct, Page: q.Page}
	for _, o := range q.OrderBy {
		d.OrderBy = append(d.OrderBy, orderBy(o))
	}
	if n := q.Nearest; n != nil {
		d.Nearest = &nearestVectors{
			Column: n.Column, Vector: n.Vector, Filter: n.Where.SQL(), Exact: n.Exact, Cosine: true,
			Refine: refineFactor, Effort: searchEffort, Few: fewRows,
		}
	}
	if m := q.Match; m != nil {
		d.Match = &matchingText{Column: m.Column, Text: m.Text}
	}
	if q.Nearest != nil && q.Match != nil {
		d.Nearest.Refine = 0 // of 10 nearest, 296 of 300 are among 40 that the index alone finds
		d.Fuse = &fusion{Depth: max((q.Limit+q.Offset)*fusionDepth, fusionMin), Constant: schema.RankConstant}
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
	case ranked && q.Limit == 0:
		return fmt.Errorf("%w: a query by vector or by text needs a limit", ErrInvalid)
	case ranked && len(q.OrderBy) > 0:
		return fmt.Errorf("%w: a query by vector or by text has its own order", ErrInvalid)
	}
	return nil
}
