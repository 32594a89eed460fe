package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// This file knows where each value of a configuration comes from, and shows the whole.

// Origins says where values come from. Its paths are those of keys, with the number of a table
// that may come several times: listen, geo.database, site[0].name, site[0].goal[1].pattern.
type Origins struct {
	flags Flags
	env   map[string]string
	file  string         // "" = none
	lines map[string]int // of the file, by path; from 1
	names []string       // of the sites of the configuration
	made  string         // the file of sites made at run time
}

// NewOrigins looks into the file and the variables that made cfg.
func NewOrigins(cfg *Config, fl Flags, environ []string) *Origins {
	o := &Origins{flags: fl, env: variables(environ), file: cfg.file, made: filepath.Join(cfg.DataDir, SitesName)}
	if text, err := os.ReadFile(cfg.file); cfg.file != "" && err == nil {
		o.lines = linesOf(string(text))
	}
	for i := range cfg.Sites {
		o.names = append(o.names, cfg.Sites[i].Name)
	}
	return o
}

// variables are those that configure cairn.
func variables(environ []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		// An empty variable counts as unset: compose files make those.
		if k, v, _ := strings.Cut(kv, "="); v != "" && strings.HasPrefix(k, "CAIRN_") {
			env[k] = v
		}
	}
	return env
}

// Of is a flag, a variable, a file with a line, or "" for a default.
func (o *Origins) Of(path string) string {
	switch {
	case path == "listen" && o.flags.Listen != "":
		return "-listen"
	case path == "data_dir" && o.flags.DataDir != "":
		return "-data"
	}
	name := "CAIRN_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
	n := -1
	if table, key, ok := strings.Cut(path, "]."); ok && strings.HasPrefix(table, "site[") {
		fmt.Sscanf(table, "site[%d", &n)
		if n >= 0 && n < len(o.names) {
			name = "CAIRN_SITE_" + envName(o.names[n]) + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		}
	}
	if _, set := o.env[name]; set {
		return name
	}
	if line := o.lines[path]; line > 0 {
		return fmt.Sprintf("%s:%d", o.file, line)
	}
	return ""
}

// site is where a site comes from: the line of its table, or "".
func (o *Origins) site(n int) string {
	if line := o.lines[fmt.Sprintf("site[%d]", n)]; line > 0 {
		return fmt.Sprintf("%s:%d", o.file, line)
	}
	return ""
}

// linesOf returns the line of each key and table of a file, from 1. Keys of inline tables are not
// found. The decoder has accepted the text.
func linesOf(text string) map[string]int {
	lines := map[string]int{}
	table, site, goal := "", -1, -1
	for i, l := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "[") {
			end := strings.IndexByte(trimmed, ']')
			if end < 0 {
				continue
			}
			name := plainKey(strings.TrimLeft(trimmed[:end], "["))
			switch rest, below := strings.CutPrefix(name, "site."); {
			case name == "site":
				site, goal = site+1, -1
				table = fmt.Sprintf("site[%d]", site)
			case name == "site.goal":
				goal++
				table = fmt.Sprintf("site[%d].goal[%d]", site, goal)
			case below:
				table = fmt.Sprintf("site[%d].%s", site, rest)
			default:
				table = name
			}
			lines[table] = i + 1
			continue
		}
		name, _, ok := strings.Cut(trimmed, "=")
		if !ok || strings.HasPrefix(trimmed, "#") {
			continue
		}
		path := plainKey(name)
		if table != "" {
			path = table + "." + path
		}
		if lines[path] == 0 {
			lines[path] = i + 1
		}
	}
	return lines
}

// masked stands for a secret.
const masked = "********"

// isSecret says whether the value of a key must not be shown.
func isSecret(key string) bool {
	switch {
	case key == "write_key" || key == "tls_key" || strings.HasSuffix(key, "_file"): // public, and paths
		return false
	case strings.HasSuffix(key, "_key"):
		return true
	}
	return strings.Contains(key, "token") || strings.Contains(key, "secret") || strings.Contains(key, "passphrase")
}

// Show returns the configuration as TOML, every key with where its value comes from. Secrets are
// masked.
func (c *Config) Show(o *Origins) string {
	var b strings.Builder
	c.showTable(&b, o, "", "", reflect.ValueOf(c).Elem())
	return b.String()
}

// showTable appends the keys of a struct, and then the tables in it. path has the numbers of
// tables, name has none.
func (c *Config) showTable(b *strings.Builder, o *Origins, path, name string, v reflect.Value) {
	var tables strings.Builder
	join := func(a, b string) string { return strings.TrimPrefix(a+"."+b, ".") }
	eachKey(v, reflect.Value{}, func(key string, f, _ reflect.Value) {
		at, name := join(path, key), join(name, key)
		switch {
		case isTables(f.Type()):
			for i := range f.Len() {
				fmt.Fprintf(&tables, "\n[[%s]]\n", name)
				c.showTable(&tables, o, fmt.Sprintf("%s[%d]", at, i), name, f.Index(i))
			}
		case isTable(f.Type()):
			fmt.Fprintf(&tables, "\n[%s]\n", name)
			c.showTable(&tables, o, at, name, f)
		default:
			text, from := tomlText(f), o.Of(at)
			switch {
			case from != "":
			case strings.HasPrefix(path, "site[") && c.isMade(path):
				from = o.made
			case isSecret(key) && o.Of(at+"_file") != "":
				from = o.Of(at + "_file")
			default:
				from = "default"
			}
			if isSecret(key) && f.Kind() == reflect.String {
				if text = quote(""); f.Len() > 0 {
					text = quote(masked)
				} else if from == "default" && key != "metrics_token" && key != "tracking_token" {
					from = "generated, in " + KeysName
				}
			}
			fmt.Fprintf(b, "%-40s # %s\n", key+" = "+text, from)
		}
	})
	b.WriteString(tables.String())
}

// isMade says whether the site of a path was made at run time.
func (c *Config) isMade(path string) bool {
	n := -1
	fmt.Sscanf(path, "site[%d", &n)
	return n >= 0 && n < len(c.Sites) && c.Sites[n].made
}
