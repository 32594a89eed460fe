package e2e

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// A room with more files than this says in its doc.go in which order they are read.
const filesWithoutOrder = 12

// named are the names of files in a comment.
var named = regexp.MustCompile(`\b[a-z][a-z0-9_/]*\.go\b`)

// Every room says what it is for, and a large one names each of its files. No file is named that is gone.
func TestRoomsAreDescribed(t *testing.T) {
	sources, err := goFiles(os.DirFS(top), parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	files, docs := map[string][]string{}, map[string]string{}
	for _, s := range sources {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		files[s.dir()] = append(files[s.dir()], path.Base(s.path))
		f, err := parser.ParseFile(token.NewFileSet(), path.Join(top, s.path), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		docs[s.dir()] += f.Doc.Text()
	}
	if len(files) < 20 {
		t.Fatalf("%d rooms are found", len(files))
	}
	all := map[string]bool{}
	for _, s := range sources {
		all[path.Base(s.path)] = true
	}
	for room, names := range files {
		doc := docs[room]
		for _, name := range named.FindAllString(doc, -1) {
			_, below := os.Stat(path.Join(top, room, name))
			_, whole := os.Stat(path.Join(top, name))
			if below != nil && whole != nil && !all[name] {
				t.Errorf("%s: its doc.go names %s, which is nowhere", room, name)
			}
		}
		if doc == "" {
			t.Errorf("%s: no file has a comment that says what the package is for", room)
			continue
		}
		if len(names) <= filesWithoutOrder {
			continue
		}
		for _, name := range names {
			if name != "doc.go" && !strings.Contains(doc, name) {
				t.Errorf("%s: its doc.go does not name %s", room, name)
			}
		}
	}
}
