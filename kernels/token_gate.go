package kernels

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Contract says which tokens of a buffer are disfluencies, to be forgotten: a StreamingDisfluencyContract.
//
// RepairMarker is written for Python's re and searched for as re.search would, with these differences, all due to RE2,
// which in return takes linear time on any input:
//
//   - Lookaround, backreferences, possessive and atomic groups and conditions are ErrPattern, as are counted
//     repetitions above 1000 and patterns beyond the limits of this package.
//   - \b and \B, and the negative classes \W and \S inside brackets, go by ASCII; outside brackets, and in all other
//     respects, classes go by Unicode. {,n} is literal: write {0,n}.
//   - RE2's own \p{…}, \Q…\E, \z and [[:alpha:]] are understood, where Python would report an error or a warning.
type Contract struct {
	DecayThreshold float64 // markers whose key has a lower value are removed; 0 removes none
	RepairMarker   string  // regular expression, matched anywhere in a token
	MaxLookback    int     // how many tokens at the end are examined; none if not positive
}

// PruneTokens removes from a token buffer what the contract calls disfluent: of the last MaxLookback tokens those that
// match RepairMarker and whose key <index>:<token>, index counting from 0 in the whole buffer, has a value below
// DecayThreshold. It returns what is kept, in order, and how many tokens were removed; tokens itself stays as it is.
//
// Errors: ErrPattern, with tokens returned as they are.
func PruneTokens(tokens []string, c Contract) (kept []string, removed int, err error) {
	gate, err := newTokenGate(c)
	if err != nil {
		return tokens, 0, err
	}
	kept = make([]string, 0, len(tokens))
	for i, token := range tokens {
		if !gate.removes(token, i, len(tokens)) {
			kept = append(kept, token)
		}
	}
	return kept, len(tokens) - len(kept), nil
}

// TokenGate applies PruneTokens to each row of a List<String> column, under one contract. It returns the pruned lists
// and how many tokens each lost. A null list stays null and loses none; a null token counts in the index and is kept.
//
// Errors: ErrPattern, ErrType. Nothing is returned then, and the buffers stand as they are.
func TokenGate(mem memory.Allocator, buffers *array.List, c Contract) (*array.List, *array.Int32, error) {
	tokens, ok := buffers.ListValues().(*array.String)
	if !ok {
		return nil, nil, fmt.Errorf("token gate: %w: %s", ErrType, buffers.DataType())
	}
	gate, err := newTokenGate(c)
	if err != nil {
		return nil, nil, fmt.Errorf("token gate: %w", err)
	}
	lists := array.NewListBuilderWithField(mem, buffers.DataType().(*arrow.ListType).ElemField())
	defer lists.Release()
	removed := array.NewInt32Builder(mem)
	defer removed.Release()
	lists.Reserve(buffers.Len())
	removed.Reserve(buffers.Len())
	kept := lists.ValueBuilder().(*array.StringBuilder)
	reserveTokens(kept, buffers, tokens)

	for row := range buffers.Len() {
		if buffers.IsNull(row) {
			lists.AppendNull()
			removed.UnsafeAppend(0)
			continue
		}
		lists.Append(true)
		start, end := buffers.ValueOffsets(row)
		removed.UnsafeAppend(int32(gate.prune(kept, tokens, int(start), int(end))))
	}
	return lists.NewListArray(), removed.NewInt32Array(), nil
}

// reserveTokens makes room for all tokens of the buffers.
func reserveTokens(kept *array.StringBuilder, buffers *array.List, tokens *array.String) {
	if buffers.Len() == 0 {
		return
	}
	start, _ := buffers.ValueOffsets(0)
	_, end := buffers.ValueOffsets(buffers.Len() - 1)
	kept.Reserve(int(end - start))
	if start < end {
		kept.ReserveData(tokens.ValueOffset(int(end)) - tokens.ValueOffset(int(start)))
	}
}

// tokenGate is a contract made ready for use by one call.
type tokenGate struct {
	Contract
	marker *regexp.Regexp
	key    []byte
}

func newTokenGate(c Contract) (*tokenGate, error) {
	marker, err := cachedPattern(c.RepairMarker)
	return &tokenGate{Contract: c, marker: marker}, err
}

// prune appends to kept what stays of the buffer tokens[start:end] and returns how many do not.
func (g *tokenGate) prune(kept *array.StringBuilder, tokens *array.String, start, end int) (removed int) {
	for i := start; i < end; i++ {
		switch {
		case tokens.IsNull(i):
			kept.AppendNull()
		case g.removes(tokens.Value(i), i-start, end-start):
			removed++
		default:
			kept.Append(tokens.Value(i))
		}
	}
	return removed
}

// removes decides on the token at index of a buffer with size tokens.
func (g *tokenGate) removes(token string, index, size int) bool {
	if g.MaxLookback <= 0 || index < size-g.MaxLookback || !g.marker.MatchString(token) {
		return false
	}
	g.key = strconv.AppendInt(g.key[:0], int64(index), 10)
	g.key = append(g.key, ':')
	g.key = append(g.key, token...)
	return Sheds(Value(g.key), g.DecayThreshold)
}
