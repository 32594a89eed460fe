package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"cairn/engine/event"
)

// The engine knows dialects only by their rules. Dialects are named only in the files
// that list them and their rules, and in the native form of an event, which is cairn's
// own.
var namesDialects = []string{"engine/event/event.go", "engine/event/rules.go", "engine/event/native.go"}

func TestVendorsInOnePlace(t *testing.T) {
	sources, err := goFiles(os.DirFS(top), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range vendorFaults(sources) {
		t.Error(fault)
	}
}

// vendorFaults lists where the engine names a dialect, by its constant or by its text.
func vendorFaults(sources []source) []string {
	var texts, constants []string
	for _, d := range event.Dialects {
		texts = append(texts, string(d))
	}
	for _, s := range sources {
		if s.path == namesDialects[0] {
			constants = dialectConstants(s.file)
		}
	}
	if len(constants) != len(texts) {
		return []string{fmt.Sprintf("%s has %d constants of type Dialect for %d dialects", namesDialects[0], len(constants), len(texts))}
	}
	var list []string
	for _, s := range sources {
		if s.dir() != "engine" && !strings.HasPrefix(s.path, "engine/") || strings.HasSuffix(s.path, "_test.go") || slices.Contains(namesDialects, s.path) {
			continue
		}
		inEvent := s.dir() == "engine/event"
		report := func(n ast.Node, name string) {
			list = append(list, fmt.Sprintf("%s: %s is named; ask event.NewestRule", s.fset.Position(n.Pos()), name))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if of, ok := n.X.(*ast.Ident); ok && of.Name == "event" && slices.Contains(constants, n.Sel.Name) {
					report(n, "event."+n.Sel.Name)
				}
			case *ast.Ident:
				if inEvent && slices.Contains(constants, n.Name) {
					report(n, n.Name)
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && slices.Contains(texts, text) {
					report(n, n.Value)
				}
			}
			return true
		})
	}
	return list
}

// dialectConstants returns the names of a file's constants of type Dialect.
func dialectConstants(f *ast.File) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Dialect" {
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
		return true
	})
	return names
}

// The check is tried on engines that name a vendor.
func TestVendorsInOnePlaceNoticesFaults(t *testing.T) {
	const list = `package event; const (A Dialect = "native"; Matomo Dialect = "matomo"; C Dialect = "c"; D Dialect = "d"; E Dialect = "e"; F Dialect = "f")`
	for _, c := range []struct{ name, path, text, want string }{
		{"a rule", "engine/ids.go", `package engine; func f(d event.Dialect) bool { return event.NewestRule(d).Visits }`, ""},
		{"a branch", "engine/ids.go", `package engine; func f(d event.Dialect) bool { return d == event.Matomo }`, "event.Matomo is named"},
		{"a case", "engine/identity/a.go", `package identity; func f(d event.Dialect) { switch d { case event.Matomo: } }`, "event.Matomo is named"},
		{"a text", "engine/ids.go", `package engine; func f(d event.Dialect) bool { return d == "matomo" }`, `"matomo" is named`},
		{"a text in a test", "engine/ids_test.go", `package engine; const d = event.Matomo`, ""},
		{"another word", "engine/ids.go", `package engine; const d = "matomo.php"`, ""},
		{"a branch in event", "engine/event/a.go", `package event; func f(d Dialect) bool { return d == Matomo }`, "Matomo is named"},
		{"the table", "engine/event/rules.go", `package event; var rules = map[Dialect]Rule{Matomo: {}}`, ""},
		{"a dialect", "http/matomo/a.go", `package matomo; const d = event.Matomo`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources, err := goFiles(fstest.MapFS{namesDialects[0]: {Data: []byte(list)}, c.path: {Data: []byte(c.text)}}, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(vendorFaults(sources), "\n")
			if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
