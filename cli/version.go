package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"cairn/engine/store"
)

// This file is "cairn version".

// The commit that a release was built from, its time, and "true" if files were changed since; set
// with -ldflags "-X cairn/cli.commit=…". Any other build has what Go notes, which is nothing in a
// worktree of git.
var commit, committed, modified string

// build says which cairn this is.
type build struct {
	Version      string `json:"version"`
	Commit       string `json:"commit"` // "" if the build has none
	Date         string `json:"date"`   // of the commit, RFC 3339
	Modified     bool   `json:"modified"`
	Go           string `json:"go"`
	Target       string `json:"target"`
	StoreVersion int    `json:"store_version"`
	StoreOldest  int    `json:"store_version_oldest"`
}

// thisBuild returns what this program was built from.
func thisBuild() build {
	b := build{
		Version: version, Go: runtime.Version(), Target: runtime.GOOS + "/" + runtime.GOARCH,
		StoreVersion: store.VersionNewest, StoreOldest: store.VersionMin,
	}
	if commit != "" {
		b.Commit, b.Date, b.Modified = commit, committed, modified == "true"
		return b
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Date = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	return b
}

func printVersion(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("version", "[flags]", "Print the version of cairn, of Go and of the platform.")
	asJSON := fs.Bool("json", false, "print JSON: also the commit, its date, and the format versions of stores that this cairn opens")
	if code, done := fs.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	b := thisBuild()
	if *asJSON {
		text, err := json.Marshal(b)
		if err != nil {
			return fail(stderr, "version", err)
		}
		fmt.Fprintf(stdout, "%s\n", text)
		return ExitOK
	}
	revision := ""
	if len(b.Commit) >= 12 {
		revision = " " + b.Commit[:12]
	}
	fmt.Fprintf(stdout, "cairn %s%s %s %s\n", b.Version, revision, b.Go, b.Target)
	return ExitOK
}
