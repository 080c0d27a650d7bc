package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Filter is a condition on rows. Its values are data: they are quoted when the filter is rendered, so that no value can
// change its meaning. The zero Filter holds for every row.
type Filter struct{ sql string }

// Eq holds where the column equals the value (string, int64, bool or time.Time).
func Eq(column string, value any) Filter { return compare(column, "=", value) }

// Ne holds where the column has a value and it is another one.
func Ne(column string, value any) Filter { return compare(column, "<>", value) }

// Gt holds where the column is greater than the value.
func Gt(column string, value any) Filter { return compare(column, ">", value) }

// Ge holds where the column is at least the value.
func Ge(column string, value any) Filter { return compare(column, ">=", value) }

// Lt holds where the column is less than the value.
func Lt(column string, value any) Filter { return compare(column, "<", value) }

// Le holds where the column is at most the value.
func Le(column string, value any) Filter { return compare(column, "<=", value) }

// IsNull holds where the column has no value.
func IsNull(column string) Filter { return Filter{quoteName(column) + " IS NULL"} }

// In holds where the column equals one of the values; it holds nowhere if there are none.
func In[T any](column string, values ...T) Filter {
	if len(values) == 0 {
		return Filter{"false"}
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quoteValue(v)
	}
	return Filter{quoteName(column) + " IN (" + strings.Join(quoted, ", ") + ")"}
}

// And holds where every one of the filters does.
func And(filters ...Filter) Filter { return combine(" AND ", filters) }

// Or holds where at least one of the filters does; zero Filters among them are passed over.
func Or(filters ...Filter) Filter { return combine(" OR ", filters) }

// Not holds where the filter does not; a filter on a column without a value holds neither way.
func Not(f Filter) Filter { return Filter{"NOT (" + f.sql + ")"} }

// SQL renders the filter as a DataFusion expression, "" for the zero Filter.
func (f Filter) SQL() string { return f.sql }

func compare(column, op string, value any) Filter {
	return Filter{quoteName(column) + " " + op + " " + quoteValue(value)}
}

func combine(op string, filters []Filter) Filter {
	var parts []string
	for _, f := range filters {
		if f.sql != "" {
			parts = append(parts, "("+f.sql+")")
		}
	}
	if len(parts) == 1 {
		return Filter{parts[0][1 : len(parts[0])-1]}
	}
	return Filter{strings.Join(parts, op)}
}

// quoteName passes names of columns; they come from this program, never from input.
func quoteName(column string) string {
	for _, c := range column {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			panic("tables: " + column + " is not a column name")
		}
	}
	return column
}

func quoteValue(value any) string {
	switch v := value.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case int, int32, int64, bool:
		return fmt.Sprint(v)
	case time.Time:
		return "to_timestamp_micros(" + strconv.FormatInt(v.UnixMicro(), 10) + ")"
	default:
		panic(fmt.Sprintf("tables: no literal for a %T", value))
	}
}

// Query asks a table for rows.
type Query struct {
	Table   string
	Columns []string // empty: all
	Where   Filter
	OrderBy []Order
	Limit   int // 0: no limit
	Offset  int

	// With one of these, results come best first with a column _distance or _score. With both, the two lists are fused by
	// reciprocal rank, and results have both columns and _near_rank and _text_rank: the place in each list, 0 for none.
	Nearest *Nearest
	Match   *Match
	// Distinct puts, of the rows of each list that are equally good, all but two after the others: they mostly say the same.
	Distinct bool
	// Page is how many of those rows are read at a time, as the reader goes on; 0: all at once.
	Page int
}

// RankConstant is the k of reciprocal rank fusion: a row counts the sum of 1/(k+rank) over the lists that it is in. 60 is the
// value of Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods",
// SIGIR 2009.
const RankConstant = 60

// Order sorts by a column.
type Order struct {
	Column     string
	Descending bool
}

// Nearest asks for the rows whose vector is nearest by cosine distance; Limit says how many.
type Nearest struct {
	Column string
	Vector []float32
	Where  Filter // what rows must fulfil besides Query.Where to have vectors that can be compared
	Exact  bool   // scan instead of using the index
}

// Match asks for the rows whose text matches by BM25; Limit says how many.
type Match struct {
	Column string
	Text   string
}
