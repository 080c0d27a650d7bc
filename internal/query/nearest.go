package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of looking for names like one that is not known.
const (
	maxNamesLooked = 100_000
	maxNearest     = 3
	maxNameRunes   = 200
)

// unknown is the error for a workflow of which nothing is known; it names those that may have been meant.
func (l *Local) unknown(ctx context.Context, workflow string) error {
	looked, names := 0, nearest{to: strings.ToLower(strings.TrimSpace(workflow))}
	err := l.Histories.Names(ctx, func(name string) bool {
		names.consider(name)
		looked++
		return looked < maxNamesLooked
	})
	if err != nil || len(names.found) == 0 {
		return fmt.Errorf("%w: workflow %q", ErrNotFound, workflow)
	}
	return fmt.Errorf("%w: workflow %q; did you mean %s?", ErrNotFound, workflow, names.String())
}

// nearest keeps the names that differ least from one.
type nearest struct {
	to    string // in lower case
	found []candidate
}

type candidate struct {
	name     string
	distance int
}

// consider takes a name in if it contains the one that was asked for, or differs from it in no more than a third.
func (n *nearest) consider(name string) {
	other := strings.ToLower(name)
	if n.to == "" || len(other) > maxNameRunes || len(n.to) > maxNameRunes {
		return
	}
	d := max(len(other), len(n.to))
	if strings.Contains(other, n.to) {
		d = 0
	} else if gap := len(other) - len(n.to); gap*3 <= len(n.to) && -gap*3 <= len(n.to) {
		d = editDistance([]rune(other), []rune(n.to))
	}
	if d*3 > len(n.to) {
		return
	}
	n.found = append(n.found, candidate{name, d})
	slices.SortFunc(n.found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	n.found = n.found[:min(len(n.found), maxNearest)]
}

func (n *nearest) String() string {
	names := make([]string, 0, len(n.found))
	for _, c := range n.found {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// editDistance is Levenshtein's: how many characters are to be put in, taken out or replaced.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal
			if x != y {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// began is when an entity began or, if only its end is known, ended.
func began(e Entity) time.Time {
	if e.StartedAt.IsZero() {
		return e.EndedAt
	}
	return e.StartedAt
}
