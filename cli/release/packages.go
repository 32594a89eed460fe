package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the kind
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the kind
)

const about = `server that stores the events of websites and programs
cairn stores page views, purchases and sign-ups on your own machine, and
answers questions about them. It speaks the protocols of Matomo, Segment,
RudderStack, MetaRouter, OpenPanel, Opentracker and Oppizi, and has a
dashboard.`

// writePackage makes a .deb or an .rpm.
func (r *run) writePackage(t target, kind string) error {
	zsh := "/usr/share/zsh/vendor-completions/_cairn"
	if kind == "rpm" {
		zsh = "/usr/share/zsh/site-functions/_cairn"
	}
	manual, err := r.zipped("cairn.1")
	if err != nil {
		return err
	}
	changes, err := r.zippedFrom(filepath.Join(r.top, "CHANGELOG.md"), "CHANGELOG.md.gz")
	if err != nil {
		return err
	}
	own := func(name string) string { return filepath.Join(r.top, "cli", "release", name) }
	file := func(from, to string, mode os.FileMode) *files.Content {
		return &files.Content{Source: from, Destination: to, FileInfo: &files.ContentFileInfo{Mode: mode, MTime: r.when}}
	}
	config := file(own("config.toml"), "/etc/cairn/config.toml", 0o640)
	config.Type = files.TypeConfigNoReplace
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "cairn", Arch: t.pkg, Platform: "linux", Version: r.version, Release: "1",
		Section: "net", Priority: "optional", Maintainer: r.maintainer, Vendor: "cairn",
		Description: about, License: "Apache-2.0", MTime: r.when,
		Overridables: nfpm.Overridables{
			Contents: files.Contents{
				file(r.program(t), "/usr/bin/cairn", 0o755),
				config,
				file(own("cairn.service"), "/usr/lib/systemd/system/cairn.service", 0o644),
				file(own("cairn.sysusers"), "/usr/lib/sysusers.d/cairn.conf", 0o644),
				file(manual, "/usr/share/man/man1/cairn.1.gz", 0o644),
				file(filepath.Join(r.stage, "cairn.bash"), "/usr/share/bash-completion/completions/cairn", 0o644),
				file(filepath.Join(r.stage, "_cairn"), zsh, 0o644),
				file(filepath.Join(r.stage, "cairn.fish"), "/usr/share/fish/vendor_completions.d/cairn.fish", 0o644),
				file(filepath.Join(r.top, "config.example.toml"), "/usr/share/doc/cairn/config.example.toml", 0o644),
				file(filepath.Join(r.top, "LICENSE"), "/usr/share/doc/cairn/copyright", 0o644),
				file(changes, "/usr/share/doc/cairn/CHANGELOG.md.gz", 0o644),
			},
			Scripts: nfpm.Scripts{PostInstall: own("postinstall.sh"), PreRemove: own("preremove.sh"), PostRemove: own("postremove.sh")},
			RPM:     nfpm.RPM{BuildHost: "cairn", Summary: "server that stores the events of websites and programs", Group: "Applications/Internet"},
		},
	})
	if kind == "rpm" {
		info.Depends = []string{"shadow-utils"}
	} else {
		info.Depends = []string{"passwd", "init-system-helpers"} // for useradd and deb-systemd-invoke
	}
	packager, err := nfpm.Get(kind)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, kind); err != nil {
		return err
	}
	name := packager.ConventionalFileName(info)
	f, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	if err := errors.Join(packager.Package(info, f), f.Close()); err != nil {
		return err
	}
	r.made(name)
	return nil
}
