package kernels

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The fast path must not be seen: for ASCII of every length it gives what the definition gives.
func TestFastPathIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.ByteRange(0, utf8.RuneSelf-1), 0, 40).Draw(t, "text"))
		n := normaliser{exact: rapid.Bool().Draw(t, "exact")}
		fast, ok := appendASCII([]byte("prefix"), text, n.exact)
		if want := "prefix" + string(n.unicode(text)); !ok || string(fast) != want {
			t.Fatalf("fast path of %q = %q, %v; want %q", text, fast, ok, want)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	f.Add("  Café ΟΔΟΣ İ H\u0331 ")
	f.Add("\xff\x80É")
	f.Add("E" + strings.Repeat("\u0301", 70) + "Σ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, exact := range []bool{false, true} {
			form := NormaliseString(text, exact)
			if again := NormaliseString(form, exact); again != form {
				t.Errorf("exact %v: the normal form of %+q is %+q, whose own is %+q", exact, text, form, again)
			}
			if utf8.ValidString(text) && !utf8.ValidString(form) {
				t.Errorf("exact %v: the normal form of %+q is not UTF-8: %+q", exact, text, form)
			}
		}
	})
}
