package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// member is a file of an archive.
type member struct {
	name, from string
	mode       os.FileMode
}

// writeArchive makes a .tar.gz, or a .zip for Windows. All is in one folder.
func (r *run) writeArchive(t target) error {
	base := "cairn-" + r.version + "-" + t.os + "-" + t.arch
	at := func(name string) string { return filepath.Join(r.top, name) }
	members := []member{
		{t.exe(), r.program(t), 0o755},
		{"LICENSE", at("LICENSE"), 0o644},
		{"README.md", at("README.md"), 0o644},
		{"CHANGELOG.md", at("CHANGELOG.md"), 0o644},
		{"config.example.toml", at("config.example.toml"), 0o644},
	}
	for name := range docs {
		members = append(members, member{"share/" + name, filepath.Join(r.stage, name), 0o644})
	}
	if t.os == "linux" {
		members = append(members, member{"share/cairn.service", at("cli/release/cairn.service"), 0o644},
			member{"share/cairn.sysusers", at("cli/release/cairn.sysusers"), 0o644}, member{"share/config.toml", at("cli/release/config.toml"), 0o644})
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	name, write := base+".tar.gz", r.writeTar
	if t.os == "windows" {
		name, write = base+".zip", r.writeZip
	}
	f, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	if err := errors.Join(write(f, base, members), f.Close()); err != nil {
		return err
	}
	r.made(name)
	return nil
}

func (r *run) writeTar(w io.Writer, base string, members []member) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, m := range members {
		text, err := os.ReadFile(m.from)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: base + "/" + m.name, Mode: int64(m.mode), Size: int64(len(text)), ModTime: r.when, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func (r *run) writeZip(w io.Writer, base string, members []member) error {
	z := zip.NewWriter(w)
	for _, m := range members {
		text, err := os.ReadFile(m.from)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: base + "/" + m.name, Method: zip.Deflate, Modified: r.when}
		h.SetMode(m.mode)
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return err
		}
	}
	return z.Close()
}

// zipped compresses a file of stage with gzip, without its name and time.
func (r *run) zipped(name string) (string, error) {
	return r.zippedFrom(filepath.Join(r.stage, name), name+".gz")
}

func (r *run) zippedFrom(from, name string) (string, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	_, err = z.Write(text)
	path := filepath.Join(r.stage, name)
	return path, errors.Join(err, z.Close(), os.WriteFile(path, b.Bytes(), 0o644))
}

// writeImage makes the folder from which an image is built.
func (r *run) writeImage() error {
	dir := filepath.Join(r.out, "image")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "empty"), 0o755)); err != nil {
		return err
	}
	own := filepath.Join(r.top, "cli", "release")
	list := []member{{"Dockerfile", filepath.Join(own, "Dockerfile"), 0o644}, {"config.toml", filepath.Join(own, "image.toml"), 0o644}}
	for _, t := range r.targets {
		if t.os == "linux" {
			list = append(list, member{filepath.Join("linux", t.arch, "cairn"), r.program(t), 0o755})
		}
	}
	for _, m := range list {
		text, err := os.ReadFile(m.from)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, m.name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, m.mode), os.Chtimes(path, r.when, r.when)); err != nil {
			return err
		}
	}
	fmt.Fprintln(r.stdout, dir)
	return nil
}

// writeSums writes the checksums of all files, as "sha256sum -c" reads them.
func (r *run) writeSums() error {
	slices.Sort(r.files)
	var text bytes.Buffer
	for _, name := range r.files {
		sum, err := sumOf(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sum, name)
	}
	if err := os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), text.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(r.stdout, filepath.Join(r.out, "SHA256SUMS"))
	return nil
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
