package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"assay/internal/config"
	"assay/internal/query"
)

var (
	commandLine = regexp.MustCompile(`\bassay((?:\s+[a-z]+)+(?:\s+[^\s#` + "`" + `|&;]+)*)`)
	listOfArgs  = regexp.MustCompile(`(?:CMD|args:)\s*\[([^\]]*)\]`)
	variable    = regexp.MustCompile(`\bASSAY_[A-Z_]+`)
)

// notOurs are variables in deploy that the build reads.
var notOurs = map[string]bool{"ASSAY_CACHE": true}

// Every command, flag and variable in deploy and in the README is one that the program has.
func TestDeployFilesFitTheProgram(t *testing.T) {
	root := (&program{}).rootCommand()
	files := []string{"../../README.md"}
	err := filepath.WalkDir("../../deploy", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, match := range commandLine.FindAllStringSubmatch(line, -1) {
				checked += checkCommand(t, root, file, strings.Fields(match[1]))
			}
			for _, match := range listOfArgs.FindAllStringSubmatch(line, -1) {
				checked += checkCommand(t, root, file, strings.FieldsFunc(match[1], func(r rune) bool { return strings.ContainsRune(`", `, r) }))
			}
			for _, name := range variable.FindAllString(line, -1) {
				if notOurs[name] {
					continue
				}
				if _, err := config.Load(os.DevNull, []string{name + "=x"}, nil); err != nil && strings.Contains(err.Error(), "is no setting") {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("%d flags were found; the test shows nothing", checked)
	}
}

// checkCommand returns how many flags of a command line were looked up.
func checkCommand(t *testing.T, root *cobra.Command, file string, words []string) (flags int) {
	t.Helper()
	named := 1
	for named < len(words) && !strings.HasPrefix(words[named], "-") {
		named++ // a command below it, or what it is given
	}
	cmd, _, err := root.Find(words[:named])
	if err != nil || cmd == root {
		return 0 // prose
	}
	for _, word := range words[1:] {
		if word == "--" {
			return flags // what follows is another program's
		}
		if name, ok := strings.CutPrefix(word, "--"); ok {
			name, _, _ = strings.Cut(strings.TrimRight(name, ".,:)"), "=")
			if flags++; cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				t.Errorf("%s: assay %s has no flag --%s", file, words[0], name)
			}
		}
	}
	return flags
}

// The hook hands the transcript that its input names to the service, and is no hindrance where there is none.
func TestHookRecordsASession(t *testing.T) {
	t.Parallel()
	server, url := serve(t, t.TempDir())
	defer server.stop(t)
	transcript, err := filepath.Abs("../../consumers/bronze/testdata/claude_code.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	hook := func(path string) {
		t.Helper()
		sh := exec.CommandContext(t.Context(), "sh", "../../deploy/hooks/record-session.sh")
		sh.Stdin = strings.NewReader(`{"session_id":"s", "transcript_path": "` + path + `", "hook_event_name":"Stop"}` + "\n")
		sh.Env = append(os.Environ(), "ASSAY_SERVER="+url, "ASSAY_CONFIG=")
		if out, err := sh.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
	hook(filepath.Join(t.TempDir(), "missing"))
	hook(transcript)
	remote := query.NewRemote(url, "")
	soon(t, func() (bool, error) {
		found, err := remote.Workflows(t.Context(), query.WorkflowsRequest{})
		return err == nil && len(found.Workflows) > 0, err
	})
}
