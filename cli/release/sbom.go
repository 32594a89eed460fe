package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// bom is a list in CycloneDX 1.5 of what a program consists of. It is what "go version -m" prints.
// See cyclonedx.org/docs/1.5/json.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Serial     string      `json:"serialNumber"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Time      string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	URL        string     `json:"purl"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// writeSBOM writes the list of a target's program.
func (r *run) writeSBOM(t target) error {
	info, err := buildinfo.ReadFile(r.program(t))
	if err != nil {
		return err
	}
	sum, err := sumOf(r.program(t))
	if err != nil {
		return err
	}
	list := r.listOf(t, info, sum)
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	name := "cairn-" + r.version + "-" + t.os + "-" + t.arch + ".cdx.json"
	if err := os.WriteFile(filepath.Join(r.out, name), append(text, '\n'), 0o644); err != nil {
		return err
	}
	r.made(name)
	return nil
}

// listOf returns the list of a program with a SHA-256.
func (r *run) listOf(t target, info *debug.BuildInfo, sum []byte) bom {
	program := module(info.Path, r.version)
	program.Type = "application"
	program.Hashes = []hash{{"SHA-256", fmt.Sprintf("%x", sum)}}
	for _, s := range info.Settings {
		program.Properties = append(program.Properties, property{"go:build:" + s.Key, s.Value})
	}
	list := bom{
		Format: "CycloneDX", Spec: "1.5", Serial: serial(sum), Version: 1,
		Metadata:   metadata{r.when.Format(time.RFC3339), program},
		Components: []component{module("stdlib", strings.TrimPrefix(info.GoVersion, "go"))},
	}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		c := module(dep.Path, dep.Version)
		if dep.Sum != "" {
			c.Properties = []property{{"go:sum", dep.Sum}}
		}
		list.Components = append(list.Components, c)
	}
	slices.SortFunc(list.Components, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	return list
}

func module(path, version string) component {
	url := "pkg:golang/" + path + "@" + version
	return component{Type: "library", Ref: url, Name: path, Version: version, URL: url}
}

// serial is a UUID that belongs to the bytes of the program alone (RFC 9562, version 8).
func serial(sum []byte) string {
	u := sha256.Sum256(append([]byte("cairn sbom "), sum...))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
