package kernels

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// Limits on repair markers, which come with events and so from anywhere. A pattern beyond them is ErrPattern.
const (
	patternBytesMax        = 4096
	patternInstructionsMax = 8192 // compiled; repetitions multiply
	patternsCachedMax      = 256  // a full cache is emptied: contracts are few, or else hostile
)

// patterns remembers what compilePattern returned, failures included, since a contract comes with every event.
var patterns = struct {
	sync.RWMutex
	compiled map[string]compiledPattern
}{compiled: map[string]compiledPattern{}}

type compiledPattern struct {
	marker *regexp.Regexp
	err    error
}

// cachedPattern is compilePattern with a memory. It may be called concurrently.
func cachedPattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > patternBytesMax {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrPattern, patternBytesMax)
	}
	patterns.RLock()
	c, ok := patterns.compiled[pattern]
	patterns.RUnlock()
	if ok {
		return c.marker, c.err
	}
	c.marker, c.err = compilePattern(pattern)
	patterns.Lock()
	defer patterns.Unlock()
	if len(patterns.compiled) >= patternsCachedMax {
		clear(patterns.compiled)
	}
	patterns.compiled[strings.Clone(pattern)] = c
	return c.marker, c.err
}

func compilePattern(pattern string) (*regexp.Regexp, error) {
	translated := fromPython(pattern)
	parsed, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrPattern, pattern, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrPattern, pattern, err)
	}
	if len(program.Inst) > patternInstructionsMax {
		return nil, fmt.Errorf("%w: %q: more than %d instructions", ErrPattern, pattern, patternInstructionsMax)
	}
	return regexp.Compile(translated)
}

// Python's classes go by Unicode where RE2's go by ASCII.
const (
	digit = `\p{Nd}`
	word  = `_\p{L}\p{N}`
	space = `\t-\r\x1c-\x1f\x85\p{Z}`
)

// What Python and RE2 understand differently, outside and inside brackets.
var (
	outsideBrackets = map[string]string{
		`\d`: digit, `\w`: "[" + word + "]", `\s`: "[" + space + "]",
		`\D`: `\P{Nd}`, `\W`: "[^" + word + "]", `\S`: "[^" + space + "]",
		`\Z`: `\z`, `$`: `(?:$|\n\z)`,
	}
	insideBrackets = map[string]string{`\d`: digit, `\w`: word, `\s`: space, `\D`: `\P{Nd}`}
)

// fromPython translates a pattern of Python's re into RE2, as far as a mere search can tell them apart: classes by
// Unicode, and a $ that also matches before a newline at the very end.
func fromPython(pattern string) string {
	var out strings.Builder
	bracketed := false
	for rest := pattern; rest != ""; {
		piece := nextPiece(rest, bracketed)
		rest = rest[len(piece):]
		switch {
		case bracketed:
			bracketed = piece != "]"
			out.WriteString(cmp.Or(insideBrackets[piece], piece))
		default:
			bracketed = piece[0] == '['
			out.WriteString(cmp.Or(outsideBrackets[piece], piece))
		}
	}
	return out.String()
}

// nextPiece cuts the first piece off a pattern: an escape, an opening bracket with what follows it literally, or one
// byte.
func nextPiece(pattern string, bracketed bool) string {
	size := 1
	switch {
	case pattern[0] == '\\':
		size = 2
	case pattern[0] == '[' && !bracketed:
		if strings.HasPrefix(pattern[size:], "^") {
			size++
		}
		if strings.HasPrefix(pattern[size:], "]") {
			size++ // the first in brackets does not close them
		}
	}
	return pattern[:min(size, len(pattern))]
}
