package main

import "fmt"

// follow gathers up to limit rows of a list that comes in pages, and returns the cursor at which it goes on, "" if that was all.
func follow[T any](limit, pageMax int, page func(limit int, cursor string) (rows []T, next string, err error)) (rows []T, next string, err error) {
	rows = []T{}
	for len(rows) < limit {
		var more []T
		if more, next, err = page(min(limit-len(rows), pageMax), next); err != nil {
			return nil, "", err
		}
		if rows = append(rows, more...); next == "" {
			break
		}
	}
	return rows, next, nil
}

// more says that a list goes on.
func (p *program) more(next string) error {
	if next == "" {
		return nil
	}
	_, err := fmt.Fprintf(p.stderr, "more with --cursor %s\n", next)
	return err
}
