package store

import (
	"strings"
	"testing"
)

func TestParseManifest(t *testing.T) {
	file := func(name string) string {
		return `{"version":1,"files":[{"name":"` + name + `","size":1,"sha256":""}]}`
	}
	for _, c := range []struct{ name, text, want string }{
		{"no files", `{"version":1}`, ""},
		{"a file", file("keys.toml"), ""},
		{"a file of the store", file("store/000004.log"), ""},
		{"not JSON", `{"version":1`, "damaged manifest"},
		{"empty", ``, "damaged manifest"},
		{"two values", `{"version":1}{}`, "damaged manifest"},
		{"a newer version", `{"version":2}`, "version 2 is not known"},
		{"no version", `{}`, "version 0 is not known"},
		{"no name", file(""), "file name"},
		{"an absolute name", file("/etc/passwd"), "file name"},
		{"a name in the parent directory", file("../keys.toml"), "file name"},
		{"a parent inside the name", file("store/.."), "file name"},
		{"the directory itself", file("."), "file name"},
		{"too deep", file("store/a/b"), "file name"},
		{"a trailing slash", file("store/"), "file name"},
		{"another separator", file(`..\\..\\keys.toml`), "file name"},
		{"a zero byte", file(`a\u0000b`), "file name"},
		{"a negative size", `{"version":1,"files":[{"name":"a","size":-1}]}`, ""}, // VerifySnapshot finds that no file has this size
		{"the largest manifest", `{"version":1}` + strings.Repeat(" ", manifestBytesMax-13), ""},
		{"too long", `{"version":1}` + strings.Repeat(" ", manifestBytesMax-12), "more than 67108864 bytes"},
		{"a size that is not a number", `{"version":1,"files":[{"name":"a","size":"1"}]}`, "damaged manifest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseManifest([]byte(c.text))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %+v, %v; want %q", m, err, c.want)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"created":"2026-03-05T21:17:03Z","events":3,"files":[{"name":"store/CURRENT","size":1,"sha256":"00"}]}`))
	f.Add([]byte(`{"version":1,"files":[{"name":"../a"}]}`))
	f.Add([]byte(`{"Version":1,"FILES":[{"Name":"a/b/c"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		for _, file := range m.Files {
			name := "/" + file.Name + "/"
			if strings.Contains(name, "//") || strings.Contains(name, "/../") || strings.Contains(name, "/./") || strings.ContainsAny(name, "\\\x00") || strings.Count(name, "/") > 3 {
				t.Fatalf("name %q leads out of the snapshot", file.Name)
			}
		}
	})
}
