package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"assay/internal/query"
)

// functions are what templates call.
var functions = template.FuncMap{
	"link": link, "count": count, "size": size, "micros": micros, "rate": rate, "percent": percent, "percentOf": percentOf, "usd": usd,
	"iso": iso, "utc": utc, "hour": hour, "clock": clock, "pretty": pretty, "clip": clip, "first": firstLine, "short": func(name string) bool { return len(name) <= nameMost }, "plural": plural,
	"raw": raw, "px": func(units float64) float64 { return math.Round(10*units) / 10 }, "json": isJSON, "spaced": func(name string) string { return strings.ReplaceAll(name, "_", " ") }, "part": newPart, "sayable": sayable, "whole": whole, "kind": kind, "len64": func(e []query.StoredEvent) int64 { return int64(len(e)) }, "between": between, "sinces": func() []span { return sinces }, "add": func(a, b int) int { return a + b },
}

// section is a place that the navigation leads to.
type section struct{ Section, Path, Label string }

var sections = []section{
	{"overview", "/", "Overview"}, {"workflows", "/workflows", "Workflows"}, {"recall", "/recall", "Recall"},
	{"capabilities", "/capabilities", "Tools and models"}, {"graph", "/graph", "Graph"}, {"promotions", "/promotions", "Promotions"},
	{"dead", "/dead", "Dead letters"}, {"audit", "/audit", "Audit"},
}

// link is a URL of this server with a query of the pairs whose value is not empty.
func link(path string, pairs ...any) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if value := fmt.Sprint(pairs[i+1]); value != "" {
			values.Set(fmt.Sprint(pairs[i]), value)
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// count groups digits by thousands with a narrow space, which no language takes for a decimal sign.
func count(n any) string {
	digits := fmt.Sprint(n)
	negative := strings.TrimPrefix(digits, "-")
	var b strings.Builder
	for i, d := range negative {
		if i > 0 && (len(negative)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(d)
	}
	return digits[:len(digits)-len(negative)] + b.String()
}

// size tells bytes with two or three digits.
func size(n any) string {
	bytes, _ := strconv.ParseFloat(fmt.Sprint(n), 64)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if bytes < 1000 {
			return digits(bytes) + " " + unit
		}
		bytes /= 1000
	}
	return digits(bytes) + " TB"
}

// micros tells a duration given in microseconds with two or three digits, as much as quantiles are worth.
func micros(us int64) string {
	switch d := float64(us); {
	case us == 0:
		return "–"
	case d < 1e3:
		return digits(d) + " µs"
	case d < 1e6:
		return digits(d/1e3) + " ms"
	case d < 60e6:
		return digits(d/1e6) + " s"
	case d < 3600e6:
		return fmt.Sprintf("%d min %02d s", us/60e6, us/1e6%60)
	default:
		return fmt.Sprintf("%d h %02d min", us/3600e6, us/60e6%60)
	}
}

func digits(v float64) string {
	switch {
	case v >= 9.95 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 0.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// rate tells events per second; a negative one is not known.
func rate(perSecond float64) string {
	if perSecond < 0 {
		return "–"
	}
	return digits(perSecond) + "/s"
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return digits(100*float64(part)/float64(whole)) + " %"
}

func usd(v float64) string {
	if v == 0 {
		return "–"
	}
	return "$" + strconv.FormatFloat(v, 'f', 4, 64)
}

func iso(t time.Time) string   { return t.UTC().Format(time.RFC3339Nano) }
func utc(t time.Time) string   { return t.UTC().Format("2006-01-02 15:04:05") }
func hour(t time.Time) string  { return t.UTC().Format("01-02 15:04") }
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// part is a text for a template that shows at most so many bytes of it.
type part struct {
	Text string
	Most int
	Item string // id of the item that has all of it, "" if that is shown
}

func newPart(text string, most int, item string) part { return part{text, most, item} }

// between tells how long it was from one time to another.
func between(from, to time.Time) string {
	if from.IsZero() || !to.After(from) {
		return "–"
	}
	return micros(to.Sub(from).Microseconds())
}

// percentOf is the text of a bar of progress.
func percentOf(done, total uint64) string { return percent(int64(done), int64(total)) }

// isJSON reports whether a text is an object or a list.
func isJSON(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && (text[0] == '{' || text[0] == '[') && json.Valid([]byte(text))
}

// lineMost is how long JSON may be for being shown on one line.
const lineMost = 88

// pretty indents what is JSON, unless it fits a line, and leaves alone what is not.
func pretty(text string) string {
	t := []byte(strings.TrimSpace(text))
	var line, lines bytes.Buffer
	switch {
	case !isJSON(text) || json.Indent(&lines, t, "", "  ") != nil:
		return text
	case json.Compact(&line, t) == nil && line.Len() <= lineMost:
		return line.String()
	}
	return lines.String()
}

// clip returns the first characters of a text and a sign that there are more.
func clip(most int, text string) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// firstLine is the beginning of a text, on one line.
func firstLine(most int, text string) string {
	const enough = 4 // white space is squeezed, so look at more than is shown
	return clip(most, strings.Join(strings.Fields(clip(enough*most, text)), " "))
}

func plural(n any, one, more string) string {
	if fmt.Sprint(n) == "1" {
		return count(n) + " " + one
	}
	return count(n) + " " + more
}

// said is a turn for the template that shows what was said.
type said struct {
	Turn *query.Turn
	Most int
	Item string
}

// sayable shows the beginnings of a turn's texts, and leads to the rest.
func sayable(t query.Turn, most int) said { return said{&t, most, t.EntityUUID} }

// whole shows as much of a turn as there is to be had.
func whole(t query.Turn, most int) said { return said{&t, most, ""} }

// kind is the class of a speaker: those that are no speaker of a conversation look alike.
func kind(speaker string) string {
	switch speaker {
	case query.SpeakerUser, query.SpeakerAssistant, query.SpeakerSystem, query.SpeakerCall:
		return speaker
	}
	return "event"
}
