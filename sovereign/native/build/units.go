package main

import (
	"encoding/json"
	"strings"
)

// units reads cargo's messages about finished units of work.
type units struct {
	scripts map[string]bool // crates with a build script, and whether it was up to date
}

// finished returns the name of the unit that a message says is finished, and whether it was up to date already. Compiling a
// crate's build script and running it are units of their own, "NAME build" and "NAME run".
func (u *units) finished(message []byte) (unit string, fresh, ok bool) {
	var m struct {
		Reason    string `json:"reason"`
		PackageID string `json:"package_id"`
		Fresh     bool   `json:"fresh"`
		Target    struct {
			Kind []string `json:"kind"`
		} `json:"target"`
	}
	if json.Unmarshal(message, &m) != nil {
		return "", false, false
	}
	name := packageName(m.PackageID)
	switch {
	case m.Reason == "build-script-executed": // this message does not tell; a script that was compiled is also run
		return name + " run", u.scripts[name], true
	case m.Reason != "compiler-artifact":
		return "", false, false
	case len(m.Target.Kind) > 0 && m.Target.Kind[0] == "custom-build":
		if u.scripts == nil {
			u.scripts = make(map[string]bool)
		}
		u.scripts[name] = m.Fresh
		return name + " build", m.Fresh, true
	default:
		return name, m.Fresh, true
	}
}

// packageName extracts the name from an identifier such as registry+https://host/index#name@1.0.0 or path+file:///x/name#1.0.0.
func packageName(id string) string {
	before, after, _ := strings.Cut(id, "#")
	if name, _, found := strings.Cut(after, "@"); found {
		return name
	}
	return before[strings.LastIndex(before, "/")+1:]
}
