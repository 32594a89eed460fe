// Release makes the packages of cairn: .deb and .rpm, archives for each system, checksums, what
// each program consists of (SBOM), and the folder from which a container image is built. Two runs
// over the same commit make the same bytes.
//
//	go -C cli/release run . -version 1.2.3
//
// It is a module of its own, so that what it needs is not among the modules of cairn.
//
// # Files
//
//	main.go      flags, and the order of the work; start here
//	build.go     versions, and the program for each target
//	packages.go  .deb and .rpm
//	archive.go   .tar.gz and .zip, checksums
//	sbom.go      the list of the modules in a program
//
// cairn.service, cairn.sysusers and config.toml are what packages install. postinstall.sh,
// preremove.sh and postremove.sh are run by them. Dockerfile and image.toml are for the image.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

func main() {
	if err := release(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// kinds are what can be made.
var kinds = []string{"deb", "rpm", "archive", "image"}

// maintainerDefault reaches whoever runs the machine on which a package is installed. A package that is given
// to others names somebody with -maintainer.
const maintainerDefault = "cairn <root@localhost>"

// release makes what the flags say. It prints the path of each file.
func release(args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("release", flag.ContinueOnError)
	version := f.String("version", "", "the `VERSION` (default: the tag of the commit, such as v1.2.3; without a tag that of main.go and the commit)")
	maintainer := f.String("maintainer", maintainerDefault, "the `NAME <ADDRESS>` of who answers for the packages")
	out := f.String("out", "", "write to `DIR` (default: dist, at the top of the repository)")
	targets := f.String("targets", targetNames(), "only these targets: a `LIST` with commas")
	only := f.String("kinds", strings.Join(kinds, ","), "only these kinds: a `LIST` with commas")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if _, err := mail.ParseAddress(*maintainer); err != nil || strings.ContainsFunc(*maintainer, unicode.IsControl) {
		return fmt.Errorf("-maintainer %q must be a name and an address, such as %q", *maintainer, maintainerDefault)
	}
	r := &run{stdout: stdout, out: *out, maintainer: *maintainer}
	for _, name := range strings.Split(*targets, ",") {
		t, err := targetOf(name)
		if err != nil {
			return err
		}
		r.targets = append(r.targets, t)
	}
	for _, kind := range strings.Split(*only, ",") {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("unknown kind %q; there are %s", kind, strings.Join(kinds, ", "))
		}
		r.kinds = append(r.kinds, kind)
	}
	var err error
	if r.top, err = findTop(); err != nil {
		return err
	}
	if r.out == "" {
		r.out = filepath.Join(r.top, "dist")
	}
	if err := r.findVersion(*version); err != nil {
		return err
	}
	if r.stage, err = os.MkdirTemp("", "cairn-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.stage)
	return r.make()
}

// make makes everything.
func (r *run) make() error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.buildDocs(); err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.build(t); err != nil {
			return err
		}
		if err := r.writeSBOM(t); err != nil {
			return err
		}
		if r.wants("archive") {
			if err := r.writeArchive(t); err != nil {
				return err
			}
		}
		if t.os != "linux" {
			continue
		}
		for _, kind := range []string{"deb", "rpm"} {
			if r.wants(kind) {
				if err := r.writePackage(t, kind); err != nil {
					return err
				}
			}
		}
	}
	if r.wants("image") {
		if err := r.writeImage(); err != nil {
			return err
		}
	}
	return r.writeSums()
}

func (r *run) wants(kind string) bool { return slices.Contains(r.kinds, kind) }

// made notes a file that is finished.
func (r *run) made(name string) {
	r.files = append(r.files, name)
	fmt.Fprintln(r.stdout, filepath.Join(r.out, name))
}
