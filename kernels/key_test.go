package kernels

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

func TestJoinStrings(t *testing.T) {
	for _, c := range []struct {
		components []string
		want       string
	}{
		{nil, ""}, {[]string{""}, ""}, {[]string{"", ""}, "|"}, {[]string{"intent-1", "wf-1"}, "intent-1|wf-1"},
		{[]string{"a|b", "c"}, `a\|b|c`}, {[]string{"a", "b|c"}, `a|b\|c`}, {[]string{`a\`, "b"}, `a\\|b`}, {[]string{"é|"}, `é\|`},
	} {
		if got := JoinStrings(c.components...); got != c.want {
			t.Errorf("JoinStrings(%q) = %q, want %q", c.components, got, c.want)
		}
	}
}

// drawColumns draws the components of keys, and the columns to put them in.
func drawColumns(t *rapid.T, mem memory.Allocator) (rows [][]*string, columns []*array.String) {
	n := drawRows(t)
	rows = make([][]*string, n)
	for range rapid.IntRange(1, 3).Draw(t, "components") {
		texts := drawTexts(t, n, "component")
		columns = append(columns, textsColumn(t, mem, texts))
		for row, text := range texts {
			rows[row] = append(rows[row], text)
		}
	}
	return rows, columns
}

// joined is the name of components, each changed beforehand; nil where one is null.
func joined(components []*string, change func(string) string) *string {
	parts := make([]string, len(components))
	for i, component := range components {
		if component == nil {
			return nil
		}
		parts[i] = change(*component)
	}
	name := JoinStrings(parts...)
	return &name
}

func releaseAll(columns []*array.String) {
	for _, column := range columns {
		column.Release()
	}
}

func TestIdentifyNeedsColumnsOfOneLength(t *testing.T) {
	one, two := repeat("x", 1), repeat("x", 2)
	for _, columns := range [][]*array.String{nil, {one, two}, {two, two, one}} {
		if _, err := Identify(memory.DefaultAllocator, Namespace, false, columns...); !errors.Is(err, ErrLength) {
			t.Errorf("Identify of %d columns: %v", len(columns), err)
		}
	}
}

// Names tell keys apart: the components can be read back.
func FuzzJoinStrings(f *testing.F) {
	f.Add("a|b", `c\`, "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		components := []string{a, b, c}
		if got := split(JoinStrings(components...)); !slices.Equal(got, components) {
			t.Errorf("%q reads back as %q", components, got)
		}
	})
}

func split(name string) []string {
	var components []string
	var component strings.Builder
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '|':
			components = append(components, component.String())
			component.Reset()
			continue
		case '\\':
			i++
		}
		component.WriteByte(name[i])
	}
	return append(components, component.String())
}
