package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// This file is the plan of the house: which room may import which. A room is a folder
// of Go files. Imports go downward only, main → cli → http → engine → {index, wal,
// geo}. A protocol imports neither the server nor the store.

// room is the rule for one folder of Go files.
type room struct {
	dir   string   // from the top; "." is main; "http/*" is every other folder of http
	knows []string // rooms that it and its tests may import
	tests []string // rooms only its tests may import
	away  []string // modules that its own files, but not its tests, must not import
	far   []string // modules that it must not reach in any way
}

const (
	fasthttpModule = "github.com/valyala/fasthttp"
	pebbleModule   = "github.com/cockroachdb/pebble"
	tomlModule     = "github.com/BurntSushi/toml"
)

// plan lists the rooms from the ground up. The first rule that matches a folder
// applies. A folder without a matching rule must not exist.
var plan = []room{
	{dir: "engine/cache", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/event", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/ua", knows: []string{"engine/cache"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/address", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/calendar", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/referrer", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "geo", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "geo/geotest", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "wal", far: []string{fasthttpModule, tomlModule}},
	{dir: "index", knows: []string{"engine/cache"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/query", knows: []string{"engine/event", "engine/calendar"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/store", knows: []string{"index", "wal", "engine/query"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/records", knows: []string{"engine/query", "engine/store"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/event/eventtest", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/identity", knows: []string{"engine/cache", "engine/event", "engine/store"}, tests: []string{"engine/event/eventtest", "engine/calendar"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/table", knows: []string{"engine/event", "engine/calendar", "index", "engine/identity"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/read", knows: []string{"engine/cache", "engine/query", "engine/table", "engine/identity", "engine/store", "engine/calendar", "engine/event", "engine/referrer", "index", "wal"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/erase", knows: []string{"engine/query", "engine/store", "engine/table", "engine/read", "engine/identity", "engine/event", "index", "wal"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/report", knows: []string{"engine/read", "engine/cache", "engine/query", "engine/table", "engine/identity", "engine/calendar", "engine/event", "engine/referrer", "index"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/export", knows: []string{"engine/read", "engine/query", "engine/event", "index"}, tests: []string{"engine"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/backup", knows: []string{"engine/query", "engine/store", "engine/records", "engine/erase", "engine/identity", "engine/event", "index", "wal"}, tests: []string{"engine", "engine/check", "engine/backup/*"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/backup/*", knows: []string{"engine/backup"}, tests: []string{"engine/backup/*"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/sink", knows: []string{"engine/export", "engine/read", "engine/records", "engine/erase", "engine/query", "engine/store"}, tests: []string{"engine/sink/*"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/sink/clickhouse/clickhousetest", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine/sink/*", knows: []string{"engine/sink", "engine/export"}, tests: []string{"engine/sink/*", "engine/sink/clickhouse/clickhousetest", "engine", "engine/query", "engine/event"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/check", knows: []string{"engine/calendar", "engine/query", "engine/erase", "engine/read", "engine/table", "engine/identity", "engine/store", "engine/records", "engine/event", "index", "wal"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/repair", knows: []string{"engine/query", "engine/erase", "engine/records", "engine/store", "engine/table", "engine/identity", "engine/event", "index", "wal"}, far: []string{fasthttpModule, tomlModule}},
	{dir: "engine/enrich", knows: []string{"engine/address", "engine/event", "engine/ua", "engine/referrer", "geo"}, tests: []string{"geo/geotest", "engine/event/eventtest"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "engine", knows: []string{"engine/cache", "engine/backup", "engine/event", "engine/query", "engine/store", "engine/records", "engine/erase", "engine/identity", "engine/table", "engine/read", "engine/report", "engine/export", "engine/sink", "engine/check", "engine/repair", "engine/ua", "engine/calendar", "engine/referrer", "engine/enrich", "wal", "index", "geo"}, tests: []string{"geo/geotest", "engine/event/eventtest", "engine/sink/*"}, far: []string{fasthttpModule, tomlModule}},

	{dir: "http/adminlog", far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/dialect", knows: []string{"engine/event", "engine/query"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/dialect/dialecttest", knows: []string{"http/dialect", "engine/event", "engine/query"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/dashboard", knows: []string{"http/dialect", "engine/event", "engine/query", "engine/calendar"}, tests: []string{"http/native"}, // for its table of calls
		far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/testkit", knows: []string{"engine/event"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/wire", knows: []string{"engine/address"}, tests: []string{"http/testkit"}, far: []string{pebbleModule, tomlModule}},
	{dir: "http/auth", knows: []string{"http/dialect", "engine/event", "engine/query", "engine/calendar"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/native", knows: []string{"http/adminlog", "http/dialect", "engine/address", "engine/event", "engine/query", "engine/calendar"}, tests: []string{"http/native/nativetest", "http/testkit"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/native/nativetest", knows: []string{"http/dialect", "engine/event", "engine/query", "engine/calendar"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/tables/mail", knows: []string{"http/tables", "http/native", "engine/calendar"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/tables", knows: []string{"http/native", "http/dialect", "engine/query", "engine/calendar"}, tests: []string{"http/native/nativetest"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/mcp", knows: []string{"http/native", "http/dialect", "http/tables"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http", knows: []string{"http/adminlog", "engine", "engine/query", "engine/sink", "engine/event", "engine/calendar", "http/*", "http/auth", "http/dialect", "http/dashboard", "http/matomo", "http/mcp", "http/native", "http/openpanel", "http/wire"}, tests: []string{"http/dialect/dialecttest", "http/native/nativetest", "http/testkit", "engine/check", "engine/enrich"}, away: []string{pebbleModule}, far: []string{tomlModule}},
	{dir: "http/openpanel", knows: []string{"http/dialect", "engine/address", "engine/event", "engine/query", "engine/calendar", "engine/referrer"}, tests: []string{"http/dialect/dialecttest"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/matomo", knows: []string{"http/dialect", "engine/address", "engine/event", "engine/query", "engine/calendar", "engine/referrer"}, tests: []string{"http/dialect/dialecttest"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "http/*", knows: []string{"http/dialect", "engine/address", "engine/event", "engine/query", "engine/calendar"}, tests: []string{"http/dialect/dialecttest"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},

	{dir: "cli/config", knows: []string{"engine", "engine/backup", "engine/sink", "engine/sink/*", "engine/query", "engine/enrich", "http", "http/*", "http/auth", "http/wire", "http/dialect", "http/matomo", "http/openpanel"}, away: []string{fasthttpModule, pebbleModule}}, // for their settings types

	{dir: "cli/bench", knows: []string{"cli/config", "engine", "engine/query", "engine/check", "engine/event"}, tests: []string{"engine/sink", "engine/sink/*"}, away: []string{tomlModule}},
	// It reads Segment's messages by the dialect's own rules, and knows robots as the engine does.
	{dir: "cli/importer", knows: []string{"engine/event", "engine/ua", "http/dialect", "http/*"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "cli", knows: []string{"cli/config", "cli/bench", "cli/importer", "engine", "engine/backup", "engine/backup/*", "engine/sink", "engine/sink/*", "engine/query", "engine/store", "engine/check", "engine/repair", "engine/enrich", "geo", "http", "http/adminlog", "http/auth", "http/dialect", "http/mcp", "http/native", "http/tables", "http/tables/mail", "http/wire"}, away: []string{fasthttpModule, tomlModule}}, // native for its interface Control
	{dir: "cli/e2e", tests: []string{"cli", "engine/sink/clickhouse/clickhousetest", "http/native", "http/adminlog", "engine/backup", "engine/backup/*", "cli/config", "cli/bench", "engine", "engine/check", "engine/enrich", "engine/query", "engine/event", "geo", "geo/geotest", "http", "http/testkit"}, far: []string{fasthttpModule, pebbleModule, tomlModule}},
	{dir: "cli/e2e/acme", far: []string{fasthttpModule, pebbleModule, tomlModule}}, // a module of its own
	// The client and the broker of franz-go are for tests: they take some megabytes.
	{dir: ".", knows: []string{"cli"}, away: []string{fasthttpModule, pebbleModule, tomlModule}, far: []string{"github.com/twmb/franz-go/pkg/kgo", "github.com/twmb/franz-go/pkg/kfake"}},
}

// unbounded are methods of fasthttp that decompress a body without a limit: 128 KB of
// zstd become 4.6 GB of memory. http/wire/inflate.go decompresses within a limit.
var unbounded = []string{"BodyUncompressed", "BodyGunzip", "BodyInflate", "BodyUnbrotli", "BodyUnzstd"}

func TestArchitecture(t *testing.T) {
	sources, err := goFiles(os.DirFS(top), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults(sources) {
		t.Error(fault)
	}
}

// exact is the one file that calculates with any number of digits. The cost is the
// square of the number of digits, so the file bounds them first.
const exact = "engine/event/decimal.go"

func TestArbitraryPrecisionInOnePlace(t *testing.T) {
	sources, err := goFiles(os.DirFS(top), parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range sources {
		for _, spec := range s.file.Imports {
			if spec.Path.Value != `"math/big"` || strings.HasSuffix(s.path, "_test.go") || s.dir() == "http/testkit" {
				continue
			}
			if found = found || s.path == exact; s.path != exact {
				t.Errorf("%s: only %s may import math/big, because it bounds what a client sends", s.path, exact)
			}
		}
	}
	if !found {
		t.Errorf("%s does not import math/big", exact)
	}
}

// only has the modules that one room alone may import.
var only = []struct {
	module, room, why string
	tests             bool // tests of other rooms may import it, too
}{
	{"github.com/modelcontextprotocol/go-sdk", "http/mcp", "no other room speaks the protocol of assistants; tests are its clients", false},
	{"github.com/parquet-go/parquet-go", "engine/export", "a build can leave Parquet out", false},
	{"github.com/minio/minio-go", "engine/backup/s3", "no other room knows what a bucket is made of", false},
	{"filippo.io/age", "engine/backup", "nothing else is encrypted", false},
	{"github.com/twmb/franz-go", "engine/sink/kafka", "a build can leave Kafka out", true},
}

func TestModulesInOnePlace(t *testing.T) {
	sources, err := goFiles(os.DirFS(top), parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, s := range sources {
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			for _, o := range only {
				if !of(path, []string{o.module}) || o.tests && strings.HasSuffix(s.path, "_test.go") {
					continue
				}
				if found[o.module] = true; s.dir() != o.room && !strings.HasSuffix(s.path, "_test.go") {
					t.Errorf("%s: only %s may import %s: %s", s.path, o.room, o.module, o.why)
				}
			}
		}
	}
	for _, o := range only {
		if !found[o.module] {
			t.Errorf("%s does not import %s", o.room, o.module)
		}
	}
}

func TestArchitectureFarModules(t *testing.T) {
	packages, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("go list knows %d packages", len(packages))
	}
	for _, fault := range farFaults(packages) {
		t.Error(fault)
	}
}

// source is one parsed Go file.
type source struct {
	path string // from the top
	file *ast.File
	fset *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }

// generator marks a program for go generate, which belongs to no package.
const generator = "//go:build ignore\n"

// goFiles parses every Go file below the top, as far as mode says, whatever its other build tags are.
func goFiles(top fs.FS, mode parser.Mode) ([]source, error) {
	var list []source
	fset := token.NewFileSet()
	err := fs.WalkDir(top, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); base != "." && (base[0] == '.' || base[0] == '_' || base == "testdata") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(top, path.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // another module, of which cairn's rooms know nothing
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(top, name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(text), generator) || strings.Contains(string(text), "\n"+generator) {
			return nil
		}
		file, err := parser.ParseFile(fset, name, text, mode)
		if err != nil {
			return err
		}
		list = append(list, source{name, file, fset})
		return nil
	})
	return list, err
}

// roomOf finds the rule for a folder.
func roomOf(dir string) *room {
	for i := range plan {
		if fits(plan[i].dir, dir) {
			return &plan[i]
		}
	}
	return nil
}

func fits(pattern, dir string) bool {
	parent, ok := strings.CutSuffix(pattern, "/*")
	return pattern == dir || ok && path.Dir(dir) == parent || pattern == "*"
}

// faults lists where the files do not follow the plan.
func faults(sources []source) []string {
	var list []string
	for _, s := range sources {
		report := func(at token.Pos, format string, args ...any) {
			list = append(list, fmt.Sprintf("%s: ", s.fset.Position(at))+fmt.Sprintf(format, args...))
		}
		r := roomOf(s.dir())
		if r == nil {
			report(s.file.Name.Pos(), "the plan has no room %s", s.dir())
			continue
		}
		test := strings.HasSuffix(s.path, "_test.go")
		if name, want := s.file.Name.Name, packageName(s.dir()); name != want && !(test && name == want+"_test") {
			report(s.file.Name.Pos(), "package %s stands where %s should", name, want)
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				report(spec.Pos(), "%v", err)
				continue
			}
			if fault := r.importFault(s.dir(), imported, test); fault != "" {
				report(spec.Pos(), "%s", fault)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && slices.Contains(unbounded, call.Sel.Name) {
				report(call.Pos(), "%s inflates without a limit", call.Sel.Name)
			}
			return true
		})
	}
	return list
}

// packageName returns the package that the files of a folder belong to. Only http has
// another name than its folder, so that net/http keeps its name.
func packageName(dir string) string {
	switch dir {
	case ".":
		return "main"
	case "http":
		return "httpd"
	}
	return path.Base(dir)
}

// importFault says why a file of dir must not import a path, "" if it may.
func (r *room) importFault(dir, imported string, test bool) string {
	if imported == "cairn" {
		return "main is never imported"
	}
	if to, ok := strings.CutPrefix(imported, "cairn/"); ok {
		fit := func(pattern string) bool { return roomOf(to) != nil && (pattern == "*" || roomOf(to).dir == pattern) }
		if to == dir || slices.ContainsFunc(r.knows, fit) || test && slices.ContainsFunc(r.tests, fit) {
			return ""
		}
		return fmt.Sprintf("%s may not know %s", dir, to)
	}
	if !test && (of(imported, r.away) || of(imported, r.far)) {
		return fmt.Sprintf("%s may not import %s", dir, imported)
	}
	return ""
}

// of reports whether a package belongs to one of the modules, at any major version.
func of(imported string, modules []string) bool {
	return slices.ContainsFunc(modules, func(m string) bool {
		return imported == m || strings.HasPrefix(imported, m+"/")
	})
}

// listed is a package as go list shows it. Deps are all packages that it reaches,
// without those of its tests.
type listed struct {
	ImportPath string
	Deps       []string
}

func listPackages() ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Deps", "./...")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var list []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

// farFaults lists the rooms that reach a module which should be far.
func farFaults(packages []listed) []string {
	var list []string
	for _, p := range packages {
		dir := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "cairn"), "/")
		if dir == "" {
			dir = "."
		}
		r := roomOf(dir)
		if r == nil {
			continue // faults reports it
		}
		for _, dep := range p.Deps {
			if of(dep, r.far) {
				list = append(list, fmt.Sprintf("%s reaches %s", dir, dep))
			}
		}
	}
	return list
}

// The checks are tried on houses that are built wrong.
func TestArchitectureNoticesFaults(t *testing.T) {
	for _, c := range []struct{ name, path, text, want string }{
		{"a good dialect", "http/oppizi/a.go", `package oppizi; import "cairn/http/dialect"; import "cairn/engine/event"`, ""},
		{"its tests", "http/oppizi/a_test.go", `package oppizi; import "cairn/http/dialect/dialecttest"`, ""},
		{"its external tests", "http/oppizi/a_test.go", `package oppizi_test; import "cairn/http/oppizi"`, ""},
		{"the runner outside of tests", "http/oppizi/a.go", `package oppizi; import "cairn/http/dialect/dialecttest"`, "http/oppizi may not know http/dialect/dialecttest"},
		{"the engine in a dialect", "http/oppizi/a.go", `package oppizi; import "cairn/engine"`, "http/oppizi may not know engine"},
		{"the engine in a dialect's test", "http/oppizi/a_test.go", `package oppizi; import "cairn/engine"`, "may not know engine"},
		{"one dialect in another", "http/oppizi/a.go", `package oppizi; import "cairn/http/matomo"`, "may not know http/matomo"},
		{"the server in a dialect", "http/oppizi/a.go", `package oppizi; import "cairn/http"`, "may not know http"},
		{"fasthttp in a dialect", "http/oppizi/a.go", `package oppizi; import "github.com/valyala/fasthttp"`, "may not import github.com/valyala/fasthttp"},
		{"fasthttp under a build tag", "http/oppizi/a.go", "//go:build plan9\n\npackage oppizi; import \"github.com/valyala/fasthttp\"", "may not import"},
		{"a part of Pebble in a dialect", "http/matomo/a.go", `package matomo; import "github.com/cockroachdb/pebble/v2/vfs"`, "may not import"},
		{"a dialect in the server", "http/a.go", `package httpd; import "cairn/http/oppizi"`, ""},
		{"fasthttp on a connection", "http/wire/a.go", `package wire; import "github.com/valyala/fasthttp"`, ""},
		{"an event on a connection", "http/wire/a.go", `package wire; import "cairn/engine/event"`, "http/wire may not know engine/event"},
		{"the kit of its tests on a connection", "http/wire/a.go", `package wire; import "cairn/http/testkit"`, "http/wire may not know http/testkit"},
		{"a dialect's noun on a connection", "http/wire/a.go", `package wire; import "cairn/http/dialect"`, "http/wire may not know http/dialect"},
		{"a connection in a dialect", "http/oppizi/a.go", `package oppizi; import "cairn/http/wire"`, "http/oppizi may not know http/wire"},
		{"a credential's kinds where keys are known", "http/auth/a.go", `package auth; import "cairn/http/dialect"`, ""},
		{"the engine where keys are known", "http/auth/a.go", `package auth; import "cairn/engine"`, "http/auth may not know engine"},
		{"a connection where keys are known", "http/auth/a.go", `package auth; import "cairn/http/wire"`, "http/auth may not know http/wire"},
		{"fasthttp where keys are known", "http/auth/a.go", `package auth; import "github.com/valyala/fasthttp"`, "may not import"},
		{"keys in a dialect", "http/oppizi/a.go", `package oppizi; import "cairn/http/auth"`, "http/oppizi may not know http/auth"},
		{"a question in the native API", "http/native/a.go", `package native; import "cairn/engine/query"`, ""},
		{"the engine in the native API", "http/native/a.go", `package native; import "cairn/engine"`, "http/native may not know engine"},
		{"the server in the native API", "http/native/a.go", `package native; import "cairn/http"`, "http/native may not know http"},
		{"keys in the native API", "http/native/a.go", `package native; import "cairn/http/auth"`, "http/native may not know http/auth"},
		{"the native API's double outside of tests", "http/native/a.go", `package native; import "cairn/http/native/nativetest"`, "http/native may not know http/native/nativetest"},
		{"the native API in a dialect", "http/oppizi/a.go", `package oppizi; import "cairn/http/native"`, "http/oppizi may not know http/native"},
		{"the log in the server", "http/a.go", `package httpd; import "cairn/wal"`, "http may not know wal"},
		{"the index in the server's test", "http/a_test.go", `package httpd; import "cairn/index"`, "http may not know index"},
		{"Pebble in the server", "http/a.go", `package httpd; import "github.com/cockroachdb/pebble/v2"`, "may not import"},
		{"a neighbour of Pebble", "http/a.go", `package httpd; import "github.com/cockroachdb/pebbles"`, ""},
		{"the server in the engine", "engine/a.go", `package engine; import "cairn/http"`, "engine may not know http"},
		{"a dialect's noun in the engine", "engine/a.go", `package engine; import "cairn/http/dialect"`, "engine may not know http/dialect"},
		{"fasthttp in the engine", "engine/a.go", `package engine; import "github.com/valyala/fasthttp"`, "may not import"},
		{"TOML in the engine", "engine/a.go", `package engine; import "github.com/BurntSushi/toml"`, "may not import"},
		{"TOML in the configuration", "cli/config/a.go", `package config; import "github.com/BurntSushi/toml"; import "cairn/http"`, ""},
		{"a dialect in the configuration", "cli/config/a.go", `package config; import "cairn/http/segment"`, ""},
		{"TOML in main", "a.go", `package main; import "github.com/BurntSushi/toml"; import "cairn/cli"`, "may not import"},
		{"the engine in main", "a.go", `package main; import "cairn/engine"`, ". may not know engine"},
		{"TOML in the command line", "cli/a.go", `package cli; import "github.com/BurntSushi/toml"; import "cairn/cli/config"`, "may not import"},
		{"an index in the command line", "cli/a.go", `package cli; import "cairn/index"`, "cli may not know index"},
		{"the command line in the load generator", "cli/bench/a.go", `package bench; import "cairn/cli"`, "cli/bench may not know cli"},
		{"the command line in the tests of the binary", "cli/e2e/a_test.go", `package e2e; import "cairn/cli"; import "cairn/cli/bench"`, ""},
		{"code beside the tests of the binary", "cli/e2e/a.go", `package e2e; import "cairn/cli"`, "cli/e2e may not know cli"},
		{"a test at the top", "a_test.go", `package main; import "cairn/engine"`, ". may not know engine"},
		{"the command line in the server", "http/a.go", `package httpd; import "cairn/cli"`, "http may not know cli"},
		{"the server in the load generator", "cli/bench/a.go", `package bench; import "cairn/http"`, "cli/bench may not know http"},
		{"the log in the configuration", "cli/config/a.go", `package config; import "cairn/wal"`, "cli/config may not know wal"},
		{"the engine in the index", "index/a.go", `package index; import "cairn/engine"`, "index may not know engine"},
		{"an event in the index", "index/a.go", `package index; import "cairn/engine/event"`, "index may not know engine/event"},
		{"the log in the index", "index/a.go", `package index; import "cairn/wal"`, "index may not know wal"},
		{"the index in the log", "wal/a.go", `package wal; import "cairn/index"`, "wal may not know index"},
		{"an event in a cache", "engine/cache/a.go", `package cache; import "cairn/engine/event"`, "engine/cache may not know engine/event"},
		{"anything in the event", "engine/event/a.go", `package event; import "cairn/engine/ua"`, "engine/event may not know engine/ua"},
		{"anything in geo", "geo/a.go", `package geo; import "cairn/engine/event"`, "geo may not know engine/event"},
		{"main", "geo/a.go", `package geo; import "cairn"`, "main is never imported"},
		{"a room that is not planned", "utils/a.go", `package utils`, "the plan has no room utils"},
		{"a room inside a dialect", "http/oppizi/internal/a.go", `package internal`, "the plan has no room http/oppizi/internal"},
		{"another name", "geo/a.go", `package place`, "package place stands where geo should"},
		{"http for httpd", "http/a.go", `package http`, "package http stands where httpd should"},
		{"a generator beside data", "geo/data/a.go", "// For go generate.\n\n//go:build ignore\n\npackage main", ""},
		{"a bomb", "http/a.go", `package httpd; func f(c ctx) { c.Request.BodyGunzip() }`, "BodyGunzip inflates without a limit"},
		{"a bomb as a value", "http/a.go", `package httpd; func f(c ctx) { g(c.BodyUncompressed) }`, "BodyUncompressed inflates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources, err := goFiles(fstest.MapFS{c.path: {Data: []byte(c.text)}}, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(faults(sources), "\n")
			if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}

	far := farFaults([]listed{
		{"cairn/http/oppizi", []string{"fmt", "github.com/valyala/fasthttp/fasthttputil"}},
		{"cairn/engine/event", []string{"github.com/cockroachdb/pebble/v2/sstable"}},
		{"cairn/http", []string{"github.com/valyala/fasthttp", "github.com/cockroachdb/pebble/v2"}},
		{"cairn", []string{"github.com/valyala/fasthttp", "github.com/BurntSushi/toml"}},
	})
	if len(far) != 2 || !strings.Contains(far[0], "http/oppizi reaches") || !strings.Contains(far[1], "engine/event reaches") {
		t.Errorf("far modules: %q", far)
	}
}
