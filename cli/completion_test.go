package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions is what a script must complete: the words in front of the cursor, the last of which
// may be incomplete, and what must and must not be offered.
var completions = []struct{ line, want, not string }{
	{"se", "serve", "version"},
	{"", "serve version completion help", "man"},
	{"serve -", "-config -data -listen", "-json"},
	{"serve -da", "-data", "-listen"},
	{"version -", "-json", "-data"},
	{"completion ", "bash zsh fish", "serve"},
	{"help ", "serve snapshot", "-json"},
	{"report ", "overview visits funnel/entities", "serve"},
	{"report visits -", "-range -compare -json -csv -watch", "-step"},
	{"report funnel/entities -", "-step -state", "-csv"},
	{"report visits -interval ", "day week none", "-range"},
}

// script writes a completion script to a file.
func script(t *testing.T, shell string) string {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("SKIPPED: there is no %s here", shell)
	}
	var out, errs strings.Builder
	if code := run([]string{"completion", shell}, &out, &errs); code != ExitOK {
		t.Fatal(code, errs.String())
	}
	file := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// offers runs a shell and compares the words that it prints with what must be offered.
func offers(t *testing.T, line, want, not string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", line, err, out)
	}
	got := strings.Fields(string(out))
	for _, word := range strings.Fields(want) {
		if !slices.Contains(got, word) {
			t.Errorf("%q: %s is not offered: %s", line, word, out)
		}
	}
	if slices.Contains(got, not) {
		t.Errorf("%q: %s is offered: %s", line, not, out)
	}
}

func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	file := script(t, "bash")
	for _, c := range completions {
		// compopt works only while somebody presses the tab key.
		words := "cairn " + c.line
		if strings.HasSuffix(words, " ") {
			words += "''"
		}
		offers(t, c.line, c.want, c.not, "bash", "--norc", "-uc",
			`compopt() { :; }; . "$1"; COMP_WORDS=(`+words+`); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _cairn; echo "${COMPREPLY[@]-}"`, "bash", file)
	}
}

func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	file := script(t, "fish")
	for _, c := range completions {
		offers(t, c.line, c.want, c.not, "fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, file, "cairn "+c.line)
	}
}

// What belongs to zsh itself, the choice among what the script offers, is replaced.
func TestCompletionInZsh(t *testing.T) {
	t.Parallel()
	file := script(t, "zsh")
	for _, c := range completions {
		words := "cairn " + c.line
		if strings.HasSuffix(words, " ") {
			words += "''"
		}
		want := c.want
		if c.line == "serve -da" || strings.HasSuffix(c.line, "-interval ") {
			continue // zsh chooses
		}
		if c.line == "se" {
			c.not = "man"
		}
		offers(t, c.line, want, c.not, "zsh", "-fc", `
			compdef() { : }
			_describe() { print -l -- ${commands%%:*} }
			_arguments() { print -l -- ${${@%%\[*}//[()]/ } | sed s/^1::argument:// }
			. $1; words=(`+words+`); CURRENT=$#words; _cairn`, "zsh", file)
	}
}

// zsh completes a flag after words only where it is told that there may be words.
func TestCompletionInZshAfterWords(t *testing.T) {
	var out strings.Builder
	completeZsh(&out, describe())
	blocks := strings.Split(out.String(), "_arguments")[1:]
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, ";;")
		if strings.Count(block, "'*:") != 1 {
			t.Errorf("command %d of %d: %d times any word: %.300s", i, len(blocks), strings.Count(block, "'*:"), block)
		}
	}
}

// A command's words are offered, and its subcommands have flags of their own.
func TestWordsOfCommands(t *testing.T) {
	for args, want := range map[string]string{
		"bash|zsh|fish":                      "bash zsh fish",
		"[flags] add|list|set|remove [NAME]": "add list set remove",
		"[now|list|verify]":                  "now list verify",
		"[flags]":                            "",
		"[COMMAND]":                          "",
		"DATA_DIR|SNAPSHOT":                  "",
		"[flags] FILE...":                    "",
	} {
		if got := strings.Join(wordsOf(args), " "); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

// The table of commands tells which flags there are, which take a value, and which take a file.
func TestDescribe(t *testing.T) {
	seen := map[string]described{}
	for _, d := range describe() {
		seen[d.name] = d
	}
	for _, c := range commands {
		if _, ok := seen[c.name]; ok != (c.summary != "") {
			t.Errorf("%s: described: %t", c.name, ok)
		}
	}
	flag := func(command, name string) flagInfo {
		d := seen[command]
		i := slices.IndexFunc(d.flags, func(f flagInfo) bool { return f.name == name })
		if i < 0 {
			t.Fatalf("%s has no flag -%s", command, name)
		}
		return d.flags[i]
	}
	if f := flag("serve", "config"); !f.file || f.value != "FILE" {
		t.Errorf("%+v", f)
	}
	if f := flag("version", "json"); f.value != "" {
		t.Errorf("%+v", f)
	}
	if f := flag("healthcheck", "timeout"); f.value != "TIME" || f.file || f.def != "5s" {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"site add", "site list", "site set", "site remove", "key add", "key set"} {
		if d, ok := seen[name]; !ok || d.about == "" {
			t.Errorf("%s is not described", name)
		}
	}
	for name, d := range seen { // the table lists the words, or no shell and no manual knows them
		if strings.HasPrefix(d.args, "COMMAND") && len(d.words) == 0 {
			t.Errorf("%s %s: list the commands", name, d.args)
		}
	}
	if !seen["restore"].files || seen["version"].files {
		t.Error("files are offered where none belong, or not where they do")
	}
}
