package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// target is a system that the program is built for.
type target struct {
	os, arch string
	pkg      string // the architecture in nfpm's words; "" = no packages
}

// ARMv6 runs on every Raspberry Pi, also where Debian means ARMv7 by armhf.
var all = []target{
	{"linux", "amd64", "amd64"}, {"linux", "arm64", "arm64"}, {"linux", "arm", "arm6"}, {"linux", "386", "386"},
	{"darwin", "arm64", ""}, {"darwin", "amd64", ""}, {"windows", "amd64", ""}, {"freebsd", "amd64", ""},
}

func (t target) name() string { return t.os + "/" + t.arch }

// exe is the name of the program.
func (t target) exe() string {
	if t.os == "windows" {
		return "cairn.exe"
	}
	return "cairn"
}

func targetNames() string {
	var names []string
	for _, t := range all {
		names = append(names, t.name())
	}
	return strings.Join(names, ",")
}

func targetOf(name string) (target, error) {
	for _, t := range all {
		if t.name() == name {
			return t, nil
		}
	}
	return target{}, fmt.Errorf("unknown target %q; there are %s", name, targetNames())
}

// run is one run of the program.
type run struct {
	stdout     io.Writer
	top        string // of the repository
	out        string // where the finished files go
	stage      string // a temporary directory
	targets    []target
	kinds      []string
	version    string    // without "v"
	maintainer string    // of the packages
	when       time.Time // of all that is made: that of the commit
	commit     string    // "" without git
	modified   bool      // files were changed since
	files      []string  // finished, below out
}

// findTop finds the top of the repository from the working directory.
func findTop() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(text), "module cairn\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this directory is not in the repository of cairn")
		}
	}
	return "", err
}

var (
	versions    = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	mainVersion = regexp.MustCompile(`(?m)^var version = "([^"]+)"$`)
)

// findVersion finds the version and the time of the commit. SOURCE_DATE_EPOCH is another time, for
// sources without git.
func (r *run) findVersion(wanted string) error {
	r.version = strings.TrimPrefix(wanted, "v")
	if r.version == "" {
		if tag, err := r.git("describe", "--tags", "--exact-match", "--match", "v[0-9]*"); err == nil {
			r.version = strings.TrimPrefix(tag, "v")
		} else if r.version, err = r.untagged(); err != nil {
			return err
		}
	}
	if !versions.MatchString(r.version) {
		return fmt.Errorf("%q is not a version such as 1.2.3 or 1.2.3-rc.1", r.version)
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		var err error
		if seconds, err = r.git("log", "-1", "--format=%ct"); err != nil {
			return fmt.Errorf("the time of the commit: %w; SOURCE_DATE_EPOCH sets another", err)
		}
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.when = time.Unix(n, 0).UTC()
	if r.commit, err = r.git("rev-parse", "HEAD"); err != nil {
		return nil // sources without git
	}
	changed, err := r.git("status", "--porcelain", "--untracked-files=no")
	r.modified = changed != ""
	return err
}

// untagged is the version of a commit without a tag: later commits have greater ones.
func (r *run) untagged() (string, error) {
	text, err := os.ReadFile(filepath.Join(r.top, "main.go"))
	if err != nil {
		return "", err
	}
	match := mainVersion.FindSubmatch(text)
	if match == nil {
		return "", errors.New("main.go has no version")
	}
	version := string(match[1])
	count, err := r.git("rev-list", "--count", "HEAD")
	if err != nil {
		return version, nil
	}
	commit, err := r.git("rev-parse", "--short=9", "HEAD")
	return version + "." + count + ".g" + commit, err
}

func (r *run) git(args ...string) (string, error) {
	out, err := r.command(nil, "git", args...)
	return strings.TrimSpace(string(out)), err
}

// command runs a command at the top of the repository and returns what it prints.
func (r *run) command(env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.top, append(os.Environ(), env...)
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, failed.Stderr)
	}
	return out, err
}

// goBuild builds the program for a system. Nothing of this machine is in it: no paths, no C library,
// no flags of the environment. Go itself would note the commit in some checkouts and not in others.
func (r *run) goBuild(file, system, arch string) error {
	env := []string{"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + arch, "GOARM=6", "GO386=sse2", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off"}
	flags := "-s -w -X main.version=" + r.version
	if r.commit != "" {
		flags += fmt.Sprintf(" -X cairn/cli.commit=%s -X cairn/cli.committed=%s -X cairn/cli.modified=%t", r.commit, r.when.Format(time.RFC3339), r.modified)
	}
	_, err := r.command(env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, ".")
	return err
}

// program is where the program of a target is.
func (r *run) program(t target) string {
	return filepath.Join(r.stage, t.os+"-"+t.arch, t.exe())
}

func (r *run) build(t target) error { return r.goBuild(r.program(t), t.os, t.arch) }

// docs are the files that the program itself makes: by their names in stage, its arguments.
var docs = map[string][]string{
	"cairn.1":    {"man"},
	"cairn.bash": {"completion", "bash"},
	"_cairn":     {"completion", "zsh"},
	"cairn.fish": {"completion", "fish"},
}

// buildDocs runs the program of this machine for the manual page and the scripts of shells.
func (r *run) buildDocs() error {
	file := filepath.Join(r.stage, "host")
	if err := r.goBuild(file, "", ""); err != nil {
		return err
	}
	for name, args := range docs {
		text, err := r.command(nil, file, args...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.stage, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
