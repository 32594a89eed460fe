package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file keeps the sites that were made while the server ran in DATA_DIR/sites.toml (mode 0600):
// the same tables as in the configuration file, and a checksum as in keys.toml. A site of the
// configuration wins over one of that file.

// SitesName is the file of the sites made at run time, below the data directory.
const SitesName = "sites.toml"

// MadeSitesMost is how many sites may be made at run time.
const MadeSitesMost = 1000

// MadeSites is the content of sites.toml.
type MadeSites struct {
	Sites   []Site        `toml:"site"`
	Removed []RemovedSite `toml:"removed"`
	Keys    []MadeKey     `toml:"key"` // of sites here and in the configuration, see sitekeys.go

	found bool // there is such a file
}

// RemovedSite is a site that was removed. Its id is never another site's.
type RemovedSite struct {
	Name   string `toml:"name"`
	ID     uint32 `toml:"id"`
	Purged bool   `toml:"purged"` // its events were deleted; else a site of this name shows them again
}

// Found reports whether there is a sites.toml.
func (m *MadeSites) Found() bool { return m.found }

// Site returns the site of a name, nil if it is not one of these.
func (m *MadeSites) Site(name string) *Site { return siteOf(m.Sites, name) }

func siteOf(sites []Site, name string) *Site {
	for i := range sites {
		if sites[i].Name == name {
			return &sites[i]
		}
	}
	return nil
}

// SitesError says that sites.toml is missing or not what cairn wrote.
type SitesError struct{ Path, What string }

func (e *SitesError) Error() string {
	return fmt.Sprintf("%s %s. Nothing was changed, and no event is lost. Copy the file from the newest snapshot or from a backup. "+
		"Or accept it as it is with \"cairn keys -accept\", with the same -config and -data as the server, while the server is stopped", e.Path, e.What)
}

// ReadSites reads a sites.toml. Without such a file it returns no sites and no error. With a
// *SitesError, because the file was edited or is damaged, it returns what the file says all the same.
func ReadSites(path string) (made MadeSites, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return made, nil
	}
	if err != nil {
		return made, err
	}
	made.Sites = defaultSites(string(text))
	if err := decode(path, string(text), &made); err != nil {
		return made, fmt.Errorf("%w\nNothing was changed, and no event is lost. Copy the file from the newest snapshot or from a backup, or mend it and run \"cairn keys -accept\"", err)
	}
	if err := made.checkKeys(); err != nil {
		return made, fmt.Errorf("%s: %w", path, err)
	}
	made.found = true
	if _, right := checksum(string(text)); !right {
		return made, &SitesError{path, "is not what cairn wrote: it was edited, or it is damaged"}
	}
	return made, nil
}

// add adds the sites made at run time to those of the configuration. Without any site it adds the
// site default, which then takes whatever site a client names, unless there have been others.
func (c *Config) add(made MadeSites) (warnings []string) {
	configured := len(c.Sites)
	c.made = made
	for _, s := range made.Sites {
		if siteOf(c.Sites[:configured], s.Name) != nil {
			warnings = append(warnings, fmt.Sprintf("site %q: it is in the configuration and in %s; the configuration counts", s.Name, filepath.Join(c.DataDir, SitesName)))
			continue
		}
		s.made = true
		c.Sites = append(c.Sites, s)
	}
	if len(c.Sites) == 0 {
		c.Sites = []Site{ImplicitSite()}
	}
	c.addKeys()
	c.implicit = configured == 0 && len(made.Removed) == 0 && len(c.Sites) == 1 && c.Sites[0].ID == 1 && c.Sites[0].Name == implicitName
	return warnings
}

// implicitName is the name of the site that cairn adds to a configuration without any.
const implicitName = "default"

// ImplicitSite is the site that cairn adds to a configuration without any.
func ImplicitSite() Site {
	s := DefaultSite()
	s.Name, s.ID, s.made = implicitName, 1, true
	return s
}

// Site returns the site of a name, nil if there is none.
func (c *Config) Site(name string) *Site { return siteOf(c.Sites, name) }

// ConfigFile is the configuration file, "" if there is none.
func (c *Config) ConfigFile() string { return c.file }

// Made are the sites made at run time.
func (c *Config) Made() *MadeSites { return &c.made }

// IsMade reports whether a site was made at run time, or is the one that cairn adds; else it is in
// the configuration and cannot be changed by a call.
func (s *Site) IsMade() bool { return s.made }

// File is where the configuration is, as an operator calls it.
func (c *Config) File() string {
	if c.file == "" {
		return "the configuration"
	}
	return c.file
}

// WriteSites writes sites.toml as c has it. Each site gets the id and the name that it has now.
func (c *Config) WriteSites() error {
	c.dropKeys()
	for i := range c.made.Sites {
		if s := siteOf(c.Sites, c.made.Sites[i].Name); s != nil && s.made {
			c.made.Sites[i].ID = s.ID
		}
	}
	if err := writeSites(filepath.Join(c.DataDir, SitesName), &c.made); err != nil {
		return fmt.Errorf("write the sites: %w", err)
	}
	c.made.found = true
	return nil
}

// ReserveSites makes an empty sites.toml if there is none, so that keys.toml may name it before it has
// a site.
func (c *Config) ReserveSites() error {
	path := filepath.Join(c.DataDir, SitesName)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeSites(path, &MadeSites{})
}

// writeSites replaces a sites.toml. After a crash there is either the old file or the new one.
func writeSites(path string, made *MadeSites) error {
	var b strings.Builder
	b.WriteString("# Sites and keys that were made with \"cairn site\", \"cairn key\" or by a call. The configuration file explains the settings.\n")
	for i := range made.Sites {
		b.WriteString("\n[[site]]\n")
		appendTable(&b, "site", reflect.ValueOf(&made.Sites[i]).Elem(), reflect.ValueOf(DefaultSite()))
	}
	for i := range made.Removed {
		b.WriteString("\n# Its id is not given to another site.\n[[removed]]\n")
		appendTable(&b, "removed", reflect.ValueOf(&made.Removed[i]).Elem(), reflect.Value{})
	}
	for i := range made.Keys {
		b.WriteString("\n[[key]]\n")
		appendTable(&b, "key", reflect.ValueOf(&made.Keys[i]).Elem(), reflect.ValueOf(MadeKey{}))
	}
	b.WriteString("\n# The last line is a checksum of this file. After an edit, run \"cairn keys -accept\".\n")
	b.WriteString(keysSum + sumOf(b.String()) + "\n")
	return writeFileSync(path, []byte(b.String()))
}

// appendTable appends the keys of a struct that are not as in defaults, which may be the zero Value:
// first the plain keys, then the tables in it. path is the name of the table.
func appendTable(b *strings.Builder, path string, v, defaults reflect.Value) {
	var tables strings.Builder
	eachKey(v, defaults, func(key string, f, def reflect.Value) {
		switch {
		case isTables(f.Type()):
			for i := range f.Len() {
				fmt.Fprintf(&tables, "\n[[%s.%s]]\n", path, key)
				appendTable(&tables, path+"."+key, f.Index(i), reflect.Value{})
			}
		case isTable(f.Type()):
			var inner strings.Builder
			appendTable(&inner, path+"."+key, f, def)
			if inner.Len() > 0 {
				fmt.Fprintf(&tables, "\n[%s.%s]\n%s", path, key, inner.String())
			}
		case def.IsValid() && reflect.DeepEqual(f.Interface(), def.Interface()):
		default:
			fmt.Fprintf(b, "%s = %s\n", key, tomlText(f))
		}
	})
	b.WriteString(tables.String())
}

// eachKey calls do for each key of the struct v, with those of embedded structs, and with the same
// field of defaults, which may be the zero Value.
func eachKey(v, defaults reflect.Value, do func(key string, f, def reflect.Value)) {
	for i := range v.NumField() {
		f, def := v.Type().Field(i), reflect.Value{}
		if defaults.IsValid() {
			def = defaults.Field(i)
		}
		key := f.Tag.Get("toml")
		switch {
		case f.Anonymous:
			eachKey(v.Field(i), def, do)
		case key != "":
			do(key, v.Field(i), def)
		}
	}
}

// isTable reports whether a type is a table of its own; isTables, whether it is a list of them.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

func isTables(t reflect.Type) bool { return t.Kind() == reflect.Slice && isTable(t.Elem()) }

// tomlText is a value as TOML.
func tomlText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339)
	case dialect.Size:
		return quote(x.String())
	case dialect.Duration:
		return quote(time.Duration(x).String())
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = tomlText(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Float32, reflect.Float64:
		text := strconv.FormatFloat(v.Float(), 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(v.Interface())
}

// quote is a text as a TOML string.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// removedNames are the names whose events were deleted: a site of this name gets another id.
func (c *Config) removedNames() (names []string) {
	for _, r := range c.made.Removed {
		if r.Purged && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}
