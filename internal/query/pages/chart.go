package pages

import (
	"slices"
	"time"
)

// chart is columns over time, one each step, of two parts: what went well and, on top of it, what did not.
type chart struct {
	Title   string
	Summary string // for those who do not see it
	Top     string // the value at its upper edge
	Parts   [2]string
	From    time.Time
	To      time.Time
	Columns []column
	Width   int // in the chart's own units, of which its height has chartHeight
}

// column is one step of a chart.
type column struct {
	X, Y, H      float64 // of the part below
	TopY, TopH   float64 // of the part on top
	At           time.Time
	Below, OnTop int64
	Values       [2]string // of its parts
	Href         string    // to what is counted
	Chosen       bool
}

// Measures of a chart, in its own units.
const (
	chartHeight  = 100
	columnWidth  = 10
	columnGap    = 2
	chartSteps   = 72 // columns at most
	columnLeast  = 2  // height of a column that is not zero
	sparklineLen = 36
)

// Thin is how wide a column is drawn.
func (chart) Thin() int { return columnWidth - columnGap }

// Thick is how wide it is for a pointer.
func (chart) Thick() int { return columnWidth }

// Height is that of the chart.
func (chart) Height() int { return chartHeight }

// series is what a chart shows.
type series struct {
	title  string
	parts  [2]string // what is below, and on top; "" if there is none
	points []point
	most   bool               // the greatest value of a step counts, not the sum
	write  func(int64) string // nil: count
}

// point is a value at a time.
type point struct {
	at           time.Time
	below, onTop int64
}

// window is the time that charts show, in at most so many steps of the same width, and where a step leads to.
type window struct {
	now   time.Time
	long  time.Duration
	steps int
	to    func(from, until time.Time) string // nil: nowhere
}

// newChart draws a series. Its last step ends with the hour of now.
func newChart(s series, w window) chart {
	step := max(time.Hour, (w.long+time.Duration(w.steps)-1)/time.Duration(w.steps)).Round(time.Hour)
	n := int((w.long + step - 1) / step)
	end := w.now.UTC().Truncate(time.Hour).Add(time.Hour)
	begin := end.Add(-time.Duration(n) * step)
	c := chart{Title: s.title, Parts: s.parts, From: begin, To: end, Width: n * columnWidth, Columns: make([]column, n)}
	for i := range c.Columns {
		col := &c.Columns[i]
		col.At, col.X = begin.Add(time.Duration(i)*step), float64(i*columnWidth)
		if w.to != nil {
			col.Href = w.to(col.At, col.At.Add(step))
		}
	}
	for _, p := range s.points {
		if i := int(p.at.Sub(begin) / step); !p.at.Before(begin) && i < n {
			c.Columns[i].add(p, s.most)
		}
	}
	write := s.write
	if write == nil {
		write = func(n int64) string { return count(n) }
	}
	c.scale(write)
	return c
}

func (c *column) add(p point, most bool) {
	if !most {
		c.Below, c.OnTop = c.Below+p.below, c.OnTop+p.onTop
	} else if p.below+p.onTop > c.Below+c.OnTop {
		c.Below, c.OnTop = p.below, p.onTop
	}
}

// scale gives the columns their heights and says what they are worth.
func (c *chart) scale(write func(int64) string) {
	highest := int64(0)
	for i := range c.Columns {
		highest = max(highest, c.Columns[i].Below+c.Columns[i].OnTop)
	}
	c.Top = write(highest)
	height := func(v int64) float64 {
		if v == 0 {
			return 0
		}
		return max(columnLeast, float64(v)*chartHeight/float64(highest))
	}
	for i := range c.Columns {
		col := &c.Columns[i]
		col.Values = [2]string{write(col.Below), write(col.OnTop)}
		col.H, col.TopH = height(col.Below), height(col.OnTop)
		col.Y = chartHeight - col.H
		col.TopY = col.Y - col.TopH
		if over := -col.TopY; over > 0 { // a sliver pushed it over the edge
			col.TopY, col.Y, col.H = 0, col.Y+over, max(0, col.H-over)
		}
	}
}

// span is a stretch of time up to now that a page can be asked for.
type span struct {
	Name  string
	Label string
	Long  time.Duration
}

var spans = []span{
	{"24h", "24 hours", 24 * time.Hour}, {"3d", "3 days", 72 * time.Hour}, {"14d", "14 days", 14 * 24 * time.Hour},
	{"90d", "90 days", 90 * 24 * time.Hour},
}

// spanOf is the span with a name, or the first.
func spanOf(name string) span {
	if i := slices.IndexFunc(spans, func(s span) bool { return s.Name == name }); i >= 0 {
		return spans[i]
	}
	return spans[0]
}
