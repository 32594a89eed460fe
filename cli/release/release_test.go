package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// build is a run of the program for this machine, with a version.
func build(t *testing.T, version string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"-version", version, "-targets", "linux/amd64", "-out", dir}
	if err := release(args, io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents reads all files below a directory.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// glob returns the only file of a pattern.
func glob(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatal(pattern, found, err)
	}
	return found[0]
}

// Two builds have equal bytes, each file has the sum that SHA256SUMS says, and the list of
// modules is what CycloneDX requires.
func TestTwoBuildsAreEqual(t *testing.T) {
	one, two := build(t, "1.0.0-rc.1"), build(t, "1.0.0-rc.1")
	a, b := contents(t, one), contents(t, two)
	if len(a) != len(b) || len(a) < 8 {
		t.Errorf("%d files, then %d", len(a), len(b))
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s has other bytes in the second build", name)
		}
	}
	for _, want := range []string{"cairn_1.0.0~rc.1-1_amd64.deb", "cairn-1.0.0~rc.1-1.x86_64.rpm", "cairn-1.0.0-rc.1-linux-amd64.tar.gz"} {
		if a[want] == nil {
			t.Errorf("%s is missing", want)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(a["SHA256SUMS"])), "\n")
	if len(lines) != 4 {
		t.Errorf("%q", lines)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if got := fmt.Sprintf("%x", sha256.Sum256(a[name])); got != sum {
			t.Errorf("%s: %s, but it has %s", name, sum, got)
		}
	}
	if !bytes.Contains(a["image/linux/amd64/cairn"], []byte(headCommit(t))) {
		t.Error("the program does not know its commit")
	}
	checkSBOM(t, a["cairn-1.0.0-rc.1-linux-amd64.cdx.json"], a["image/linux/amd64/cairn"])
	checkArchive(t, a["cairn-1.0.0-rc.1-linux-amd64.tar.gz"], "cairn-1.0.0-rc.1-linux-amd64/", a["image/linux/amd64/cairn"])
}

// headCommit returns the commit of the repository, or "" without git.
func headCommit(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Log("there is no commit here:", err)
	}
	return strings.TrimSpace(string(out))
}

// checkSBOM looks for what the schema of CycloneDX 1.5 requires, and for a module that each cairn has.
func checkSBOM(t *testing.T, text, program []byte) {
	t.Helper()
	type part struct{ Type, Name, Version, Purl string }
	var list struct {
		BomFormat, SpecVersion, SerialNumber string
		Version                              int
		Metadata                             struct {
			Timestamp string
			Component struct {
				part
				Hashes []struct{ Alg, Content string }
			}
		}
		Components []part
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	if list.BomFormat != "CycloneDX" || list.SpecVersion != "1.5" || list.Version < 1 || !uuid.MatchString(list.SerialNumber) {
		t.Errorf("%+v", list)
	}
	if c := list.Metadata.Component; c.Type != "application" || c.Name != "cairn" || c.Version != "1.0.0-rc.1" ||
		len(c.Hashes) != 1 || c.Hashes[0].Alg != "SHA-256" || c.Hashes[0].Content != fmt.Sprintf("%x", sha256.Sum256(program)) {
		t.Errorf("%+v", c)
	}
	names := map[string]bool{}
	for _, c := range list.Components {
		if c.Type != "library" || c.Name == "" || c.Version == "" || !strings.HasPrefix(c.Purl, "pkg:golang/") {
			t.Errorf("%+v", c)
		}
		if names[c.Purl] {
			t.Errorf("%s is listed twice", c.Purl)
		}
		names[c.Purl] = true
		names[c.Name] = true
	}
	for _, want := range []string{"stdlib", "github.com/cockroachdb/pebble/v2", "github.com/valyala/fasthttp"} {
		if !names[want] {
			t.Errorf("%s is not listed", want)
		}
	}
}

// checkArchive looks for the files of an archive.
func checkArchive(t *testing.T, text []byte, base string, program []byte) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if have[strings.TrimPrefix(h.Name, base)], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(have["cairn"], program) {
		t.Error("the program of the archive is another one than that of the image")
	}
	for name, want := range map[string]string{"share/cairn.1": ".TH CAIRN", "share/cairn.bash": "complete", "share/_cairn": "#compdef cairn", "share/cairn.fish": "complete -c cairn", "share/cairn.service": "[Service]", "config.example.toml": "listen", "LICENSE": "Apache", "README.md": "# cairn", "CHANGELOG.md": "# Changelog"} {
		if !strings.Contains(string(have[name]), want) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}

// What a unit may do is judged by systemd itself.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: there is no systemd-analyze here")
	}
	text, err := os.ReadFile("cairn.service")
	if err != nil {
		t.Fatal(err)
	}
	// verify looks for the program.
	file := filepath.Join(t.TempDir(), "cairn.service")
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("/usr/bin/cairn"), []byte("/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", file).CombinedOutput()
	if err != nil { // the exit code is 1 if the exposure is 2.0 or more
		t.Errorf("%v\n%s", err, out)
	}
}

// unit returns the settings of the unit.
func unit(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("cairn.service")
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			set[key] = value
		}
	}
	for _, key := range []string{"User", "Group", "ExecStart", "StateDirectory", "StateDirectoryMode", "UMask"} {
		if set[key] == "" {
			t.Fatalf("the unit has no %s", key)
		}
	}
	if _, err := strconv.ParseUint(set["StateDirectoryMode"], 8, 32); err != nil {
		t.Fatal(err)
	}
	return set
}

// There are packages for the four architectures, with the names that Debian and Fedora have for
// them. The programs in these are no programs: compiling all of them takes minutes.
func TestPackagesOfEachArchitecture(t *testing.T) {
	top, err := findTop()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{stdout: io.Discard, top: top, out: t.TempDir(), stage: t.TempDir(), version: "1.2.3", maintainer: maintainerDefault, when: time.Unix(1_700_000_000, 0).UTC()}
	for name := range docs {
		if err := os.WriteFile(filepath.Join(r.stage, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range all {
		if target.os != "linux" {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(r.program(target)), 0o755), os.WriteFile(r.program(target), []byte(target.arch), 0o755)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.writePackage(target, "deb"), r.writePackage(target, "rpm")); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"cairn-1.2.3-1.aarch64.rpm", "cairn-1.2.3-1.armv6hl.rpm", "cairn-1.2.3-1.i386.rpm", "cairn-1.2.3-1.x86_64.rpm",
		"cairn_1.2.3-1_amd64.deb", "cairn_1.2.3-1_arm64.deb", "cairn_1.2.3-1_armhf.deb", "cairn_1.2.3-1_i386.deb",
	}
	if slices.Sort(r.files); !slices.Equal(r.files, want) {
		t.Errorf("%q, want %q", r.files, want)
	}
}
