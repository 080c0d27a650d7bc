package query

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// Transcript is how conversations are written as text.
type Transcript struct {
	Raw    bool           // requests and results as they were captured
	Zone   *time.Location // of the times
	Colour bool           // for a terminal that shows it
	day    string
}

// Write writes turns. Errors are those of w.
func (s *Transcript) Write(w io.Writer, turns []Turn) error {
	out := bufio.NewWriter(w)
	for i := range turns {
		s.turn(out, &turns[i])
	}
	return out.Flush()
}

func (s *Transcript) turn(w *bufio.Writer, t *Turn) {
	at := t.At().In(s.Zone)
	if day := at.Format("Monday 2 January 2006, MST"); day != s.day {
		s.day = day
		fmt.Fprintf(w, "%s\n\n", s.paint(Dim, "— "+day+" —"))
	}
	words := t.heading()
	who, rest := Printable(words[0]), Printable(strings.Join(append([]string{""}, words[1:]...), "  "))
	fmt.Fprintf(w, "%s  %s%s\n", s.paint(Dim, at.Format("15:04:05.000")), s.paint(t.hue(), who), s.paint(Dim, rest))
	if t.Reasoning != "" {
		s.paragraph(w, Dim, "    ", "(reasoning) "+t.Reasoning)
	}
	switch {
	case t.Speaker != SpeakerCall:
		s.paragraph(w, "", "", t.Text)
	case s.Raw:
		s.paragraph(w, "", "  → ", t.Request)
		s.paragraph(w, "", "  ← ", t.Result)
	default:
		s.paragraph(w, "", "  → ", indented(t.Arguments))
		s.paragraph(w, "", "  ← ", indented(t.Answer))
	}
	if c := t.CarriedOut; c != nil {
		words := append(make([]string, 0, 4), "in "+c.WorkflowID)
		if c.Status != statusOK {
			words = append(words, c.Status)
		}
		if c.LatencyUS > 0 {
			words = append(words, Latency(c.LatencyUS))
		}
		s.paragraph(w, Dim, "    ", strings.Join(words, "  "))
		if t.Answer == "" || t.Answer == "null" {
			s.paragraph(w, "", "  ← ", indented(c.Answer))
			s.paragraph(w, Red, "  ! ", c.Error)
		}
	}
	for _, call := range t.Asks {
		s.paragraph(w, "", "  → ", call.Name+" "+call.Arguments)
	}
	if t.Error != "" {
		s.paragraph(w, Red, "  ! ", t.Error)
	}
	_ = w.WriteByte('\n') // Flush tells
}

// paint gives a text a hue, where that is shown.
func (s *Transcript) paint(hue Hue, text string) string {
	if !s.Colour {
		return text
	}
	return hue.Paint(text)
}

// heading says who speaks, for how long, and what came of it where that is worth a word.
func (t *Turn) heading() []string {
	words := append(make([]string, 0, 4), t.Speaker)
	switch {
	case t.Speaker == SpeakerCall || t.Speaker == SpeakerAssistant && t.Capability != "":
		words[0] = t.Capability
	case t.AgentID != "" && t.Speaker != SpeakerUser:
		words = append(words, t.AgentID)
	}
	if t.Status != statusOK {
		words = append(words, t.Status)
	}
	if t.LatencyUS > 0 {
		words = append(words, Latency(t.LatencyUS))
	}
	if t.QuarantinedBy != "" {
		words = append(words, "(taken back)")
	}
	return words
}

// paragraph writes a text with a mark before its first line and as much space before the others.
func (s *Transcript) paragraph(w *bufio.Writer, hue Hue, mark, text string) {
	if text = strings.TrimRight(text, "\n "); text == "" {
		return
	}
	space := strings.Repeat(" ", len([]rune(mark)))
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = w.WriteString(s.paint(hue, mark+Printable(strings.TrimSuffix(line, "\r"))) + "\n") // Flush tells
		mark = space
	}
}

// oneLine is the length in bytes up to which JSON stays on one line.
const oneLine = 100

// indented is a text, laid out where it is JSON that does not fit on a line.
func indented(text string) string {
	var laid bytes.Buffer
	if len(text) > oneLine && (text[0] == '{' || text[0] == '[') && json.Indent(&laid, []byte(text), "", "  ") == nil {
		return laid.String()
	}
	return text
}

// Printable is a text without what would steer a terminal or hide what follows: control characters, but for tabs and line breaks, and
// marks of direction, are shown as �. Recorded texts come from anywhere.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Latency is a time in microseconds for people, to two digits; what takes minutes, to the second.
func Latency(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d*1000 >= u.of*995 { // else two digits would be those of the next unit
			return twoDigits(float64(d)/float64(u.of)) + u.name
		}
	}
	return "0s"
}

func twoDigits(x float64) string {
	switch {
	case x < 9.95:
		return fmt.Sprintf("%.1f", x)
	case x < 99.5:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.0f", 10*float64(int64(x/10+0.5)))
	}
}
