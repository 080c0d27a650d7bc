package query

// Hue is how a text stands out on a terminal: an SGR parameter of ECMA-48, "" for not at all.
type Hue string

// The hues that are used.
const (
	Bold    Hue = "1"
	Dim     Hue = "2"
	Red     Hue = "31"
	Green   Hue = "32"
	Yellow  Hue = "33"
	Blue    Hue = "34"
	Magenta Hue = "35"
)

// Paint gives a text a hue.
func (h Hue) Paint(text string) string {
	if h == "" || text == "" {
		return text
	}
	return "\x1b[" + string(h) + "m" + text + "\x1b[0m"
}

// StatusHue is the hue of a state that something is in.
func StatusHue(status string) Hue {
	switch status {
	case "error", "rejected":
		return Red
	case "open", "pending", "cancelled":
		return Yellow
	case "ok", "published":
		return Green
	}
	return ""
}

// hue is that of a turn's heading.
func (t *Turn) hue() Hue {
	switch {
	case t.Status == statusError:
		return Red
	case t.Speaker == SpeakerUser:
		return Blue
	case t.Speaker == SpeakerAssistant:
		return Magenta
	case t.Speaker == SpeakerCall:
		return Green
	}
	return Bold
}
