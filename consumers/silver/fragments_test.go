package silver

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"assay/consumers/bronze"
)

func TestFragmentsAreTheirJSON(t *testing.T) {
	fragment := rapid.Custom(func(t *rapid.T) bronze.Fragment {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\"\\\n\r\t\x00\x1f\u007f\u2028<é🙂"))))
		return bronze.Fragment{
			Part: text.Draw(t, "part"), Type: bronze.FragmentType(text.Draw(t, "type")), ID: text.Draw(t, "id"),
			Name: text.Draw(t, "name"), Text: text.Draw(t, "text"), Whole: rapid.Bool().Draw(t, "whole"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(fragment, 1, 4).Draw(t, "fragments")
		text := appendFragments(nil, want)
		var got []bronze.Fragment
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s is %+v, %v; want %+v", text, got, err, want)
		}
		standard, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var members, wanted any
		if json.Unmarshal(text, &members) != nil || json.Unmarshal(standard, &wanted) != nil || !reflect.DeepEqual(members, wanted) {
			t.Fatalf("%s differs from %s", text, standard)
		}
	})
}
