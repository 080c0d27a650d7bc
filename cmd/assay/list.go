package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assay/internal/query"
)

// listing says how a command prints a list.
type listing struct{ wide, csv, lines bool }

// addList gives a command that prints a list the flags that say how.
func addList(cmd *cobra.Command, l *listing) {
	cmd.Flags().BoolVar(&l.wide, "wide", false, "all columns, ids among them, and whole lines")
	cmd.Flags().BoolVar(&l.csv, "csv", false, "print comma-separated values")
	cmd.Flags().BoolVar(&l.lines, "jsonl", false, "print one JSON object a line")
	cmd.MarkFlagsMutuallyExclusive("csv", "jsonl", "wide")
}

// column is a column of a table for people.
type column[T any] struct {
	name  string
	show  func(*T) string
	right bool // numbers
	wide  bool // only with --wide
	long  bool // a text that gets the room that is left

	hue func(cell string) query.Hue // of what stands out on a terminal; nil: nothing
}

// printList prints rows as the flags say: as a table, as JSON lines, or as CSV.
func printList[T any](p *program, l listing, rows []T, columns []column[T]) error {
	switch {
	case l.csv:
		return writeCSV(p.stdout, rows)
	case l.lines:
		lines := json.NewEncoder(p.stdout)
		for i := range rows {
			if err := lines.Encode(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return writeTable(p.stdout, style{width(p.stdout), p.coloured(), l.wide}, rows, columns)
}

// style says what a table looks like.
type style struct {
	width  int  // of a line, in characters; 0: any
	colour bool // for a terminal that shows it
	wide   bool // all columns and whole lines
}

// coloured tells whether standard output is a terminal whose user wants colour (https://no-color.org).
func (p *program) coloured() bool {
	return terminal(p.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// failures is the hue of a number of errors.
func failures(cell string) query.Hue {
	if cell == "0" || cell == "-" || cell == "" {
		return ""
	}
	return query.Red
}

// width is how many characters a line of w may have, 0 for any number.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Widths of tables, in characters.
const (
	columnGap = 2
	longMin   = 20  // of a long text that has to share a narrow line
	longMax   = 200 // of a long text where lines may have any length
)

func writeTable[T any](w io.Writer, look style, rows []T, columns []column[T]) error {
	if look.wide {
		look.width = 0
	}
	var shown []column[T]
	for _, c := range columns {
		if look.wide || !c.wide {
			shown = append(shown, c)
		}
	}
	cells := make([][]string, len(rows)+1)
	for i := range cells {
		cells[i] = make([]string, len(shown))
		for j, c := range shown {
			if cells[i][j] = c.name; i > 0 {
				cells[i][j] = oneLine(c.show(&rows[i-1]))
			}
		}
	}
	widths := fit(cells, look.width, func(j int) bool { return shown[j].long })
	for i, row := range cells {
		var line strings.Builder
		for j, cell := range row {
			var hue query.Hue
			switch {
			case !look.colour:
			case i == 0:
				hue = query.Bold
			case shown[j].hue != nil:
				hue = shown[j].hue(cell)
			}
			if j > 0 {
				line.WriteString(strings.Repeat(" ", columnGap))
			}
			line.WriteString(aligned(cell, widths[j], shown[j].right, hue))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// aligned is a cell, cut or filled to a width.
func aligned(cell string, width int, right bool, hue query.Hue) string {
	cell = cutTo(cell, width)
	space := strings.Repeat(" ", width-uniseg.StringWidth(cell))
	if right {
		return space + hue.Paint(cell)
	}
	return hue.Paint(cell) + space
}

// fit returns the widths of columns. Where a line is too long, long texts give way.
func fit(cells [][]string, lineWidth int, long func(column int) bool) []int {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for j, cell := range row {
			widths[j] = max(widths[j], uniseg.StringWidth(cell))
		}
	}
	total, longs := columnGap*(len(widths)-1), 0
	for j := range widths {
		if long(j) {
			widths[j] = min(widths[j], longMax)
			longs++
		}
		total += widths[j]
	}
	for j := len(widths) - 1; j >= 0 && lineWidth > 0 && total > lineWidth; j-- {
		if long(j) {
			narrower := max(min(widths[j], longMin), widths[j]-(total-lineWidth))
			total -= widths[j] - narrower
			widths[j] = narrower
		}
	}
	return widths
}

// oneLine is a text on one line, safe to show.
func oneLine(text string) string {
	if len(text) > 4*longMax {
		text = strings.ToValidUTF8(text[:4*longMax], "")
	}
	return strings.Join(strings.Fields(query.Printable(text)), " ")
}

// cutTo cuts a text to a width.
func cutTo(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var cut strings.Builder
	left := width - 1
	for clusters := uniseg.NewGraphemes(text); clusters.Next(); {
		if left -= clusters.Width(); left < 0 {
			break
		}
		cut.WriteString(clusters.Str())
	}
	return cut.String() + "…"
}

// writeCSV writes rows with all their members, named as in JSON.
func writeCSV[T any](w io.Writer, rows []T) error {
	out := csv.NewWriter(w)
	t := reflect.TypeFor[T]()
	var fields [][]int
	var header []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		fields, header = append(fields, f.Index), append(header, name)
	}
	_ = out.Write(header) // Error tells
	for i := range rows {
		line := make([]string, len(fields))
		for j, index := range fields {
			line[j] = csvValue(reflect.ValueOf(&rows[i]).Elem().FieldByIndex(index))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

func csvValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return x
	case []string:
		return strings.Join(x, " ")
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.Format(time.RFC3339Nano)
	case int64:
		return strconv.FormatInt(x, 10)
	}
	text, err := json.Marshal(v.Interface())
	if err != nil || string(text) == "null" {
		return ""
	}
	return strings.Trim(string(text), `"`)
}
