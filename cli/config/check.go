package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// This file finds as many mistakes of a configuration at once as it can. Load stops at the first.

// mistakesMax bounds how many are found.
const mistakesMax = 100

// Check reads a configuration as Load does. Each mistake begins with where it is: a file and a
// line, a variable or a flag. The configuration has the values that are good, so that the caller
// can look further. Nothing is written.
func Check(fl Flags, environ []string) (cfg Config, mistakes, warnings []string) {
	env := variables(environ)
	file := fl.File
	if file == "" {
		file = env["CAIRN_CONFIG"]
	}
	for _, name := range noKeys {
		delete(env, name)
	}
	cfg = Default()
	cfg.file = file
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return cfg, []string{err.Error()}, nil
		}
		found, ok := checkFile(&cfg, file, string(text))
		if mistakes = found; !ok {
			return cfg, mistakes, nil
		}
		if cfg.hasSecret() {
			warnings = warnReadable(warnings, file)
		}
	}
	c := &checker{cfg: &cfg, o: NewOrigins(&cfg, fl, environ), mistakes: mistakes}
	used := map[string]bool{}
	c.variables(reflect.ValueOf(&cfg).Elem(), "CAIRN_", env, used)
	if fl.Listen != "" {
		cfg.Listen = listOf(fl.Listen)
	}
	if fl.DataDir != "" {
		cfg.DataDir = fl.DataDir
	}
	warnings = append(warnings, cfg.raiseMemory()...)
	made, err := ReadSites(filepath.Join(cfg.DataDir, SitesName))
	if err != nil {
		c.add("", err.Error())
	} else {
		warnings = append(warnings, cfg.add(made)...)
	}
	c.o = NewOrigins(&cfg, fl, environ)
	for i := range cfg.Sites {
		c.variables(reflect.ValueOf(&cfg.Sites[i]).Elem(), "CAIRN_SITE_"+envName(cfg.Sites[i].Name)+"_", env, used)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !used[name] {
			warnings = append(warnings, "the environment variable "+name+" matches no configuration key and is ignored")
		}
	}
	c.secrets()
	c.values()
	c.sites()
	warnings = append(warnings, cfg.warnings()...)
	return cfg, c.mistakes, append(warnings, cfg.ShortSecrets()...)
}

// checkFile decodes a file and finds all unknown keys. ok is false when the file is no TOML of the
// right shape.
func checkFile(cfg *Config, file, text string) (mistakes []string, ok bool) {
	cfg.Sites = defaultSites(text)
	meta, err := toml.Decode(text, cfg)
	if err != nil {
		return []string{decode(file, text, &Config{Sites: defaultSites(text)}).Error()}, false
	}
	unknown := meta.Undecoded()
	for i, key := range unknown {
		// What is below an unknown table is not known either.
		if i < mistakesMax && !slices.ContainsFunc(unknown[:i], func(k toml.Key) bool { return strings.HasPrefix(key.String(), k.String()+".") }) {
			mistakes = append(mistakes, unknownKey(file, text, key).Error())
		}
	}
	return mistakes, true
}

// checker collects mistakes.
type checker struct {
	cfg      *Config
	o        *Origins
	mistakes []string
}

func (c *checker) add(where, what string) {
	if where != "" && !strings.HasPrefix(what, where) {
		what = where + ": " + what
	}
	if len(c.mistakes) < mistakesMax && !slices.Contains(c.mistakes, what) {
		c.mistakes = append(c.mistakes, what)
	}
}

// variables sets the fields of a struct from the environment, and leaves out what is no value.
func (c *checker) variables(v reflect.Value, prefix string, env map[string]string, used map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if used[name] {
			continue
		}
		try := reflect.New(v.Type()).Elem()
		if err := overlay(try, prefix, map[string]string{name: env[name]}, used); err != nil {
			c.add("", err.Error())
			continue
		}
		if used[name] {
			_ = overlay(v, prefix, map[string]string{name: env[name]}, used) // as it has just been
		}
	}
}

// secrets reads the files of secrets.
func (c *checker) secrets() {
	read := func(path string, s secret) {
		if err := readSecret(s.to, s.file, s.key); err != nil {
			where := c.o.Of(path + "_file")
			c.add(where, err.Error())
		}
	}
	read("admin_token", secret{"admin_token", &c.cfg.AdminToken, c.cfg.AdminTokenFile})
	read("metrics_token", secret{"metrics_token", &c.cfg.MetricsToken, c.cfg.MetricsTokenFile})
	b := &c.cfg.Backup
	read("backup.access_key", secret{"backup.access_key", &b.AccessKey, b.AccessKeyFile})
	read("backup.access_secret", secret{"backup.access_secret", &b.AccessSecret, b.AccessSecretFile})
	read("backup.passphrase", secret{"backup.passphrase", &b.passphrase, b.PassphraseFile})
	for _, s := range c.cfg.Sink.secrets() {
		path := s.table + "." + s.key
		read(path, secret{path, s.to, s.file})
	}
	for i := range c.cfg.Sites {
		for _, s := range c.cfg.Sites[i].secrets() {
			table := fmt.Sprintf("site[%d].", i)
			if s.key == "tracking_token" {
				table += "matomo."
			}
			read(table+s.key, s)
		}
	}
}

// keyAtFront finds the key with which an error of Validate begins.
var keyAtFront = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+){0,2}`)

// tableAtFront makes one name of a table and a key of it, at the front of an error.
var tableAtFront = strings.NewReplacer("backup: ", "backup.", "sink.clickhouse: ", "sink.clickhouse.", "sink.kafka: ", "sink.kafka.")

// values checks all keys but those of sites. Each bad value is replaced by its default, to find the
// next one.
func (c *checker) values() {
	try := *c.cfg
	for range mistakesMax {
		err := try.Validate()
		if err == nil {
			return
		}
		key := keyAtFront.FindString(tableAtFront.Replace(err.Error()))
		if strings.HasPrefix(err.Error(), "set both tls_cert") {
			key = "tls_cert"
			try.TLSKey = ""
			if try.TLSCert == "" {
				key = "tls_key"
			}
		}
		c.add(c.o.Of(key), err.Error())
		if !setDefault(&try, key) {
			return
		}
	}
}

// setDefault gives a key its default. It returns false when there is no such key, or it has it.
func setDefault(cfg *Config, key string) (changed bool) {
	def := Default()
	var walk func(v, def reflect.Value, prefix string)
	walk = func(v, def reflect.Value, prefix string) {
		eachKey(v, def, func(name string, f, d reflect.Value) {
			switch {
			case prefix+name == key && !reflect.DeepEqual(f.Interface(), d.Interface()):
				f.Set(d)
				changed = true
			case isTable(f.Type()):
				walk(f, d, prefix+name+".")
			}
		})
	}
	walk(reflect.ValueOf(cfg).Elem(), reflect.ValueOf(&def).Elem(), "")
	if key == "tls_key" {
		changed = true // values has emptied it
	}
	return changed
}

// siteAtFront finds the name with which an error of a site begins, or the second of two.
var siteAtFront = regexp.MustCompile(`^sites? ("(?:[^"\\]|\\.)*")(?: and ("(?:[^"\\]|\\.)*"))?(?:: ([a-z_]+(?:\.[a-z_]+)*))?`)

// sites checks the sites. A bad one is left out, to find the next one.
func (c *checker) sites() {
	try := *c.cfg
	try.DataDir = filepath.Join(c.cfg.DataDir, "nothing") // nobody but this check sees the keys
	try.made = MadeSites{}
	list := slices.Clone(c.cfg.Sites)
	number := make([]int, len(list)) // in the configuration
	for i := range number {
		number[i] = i
	}
	for range mistakesMax {
		if len(list) == 0 {
			return
		}
		try.Sites = slices.Clone(list)
		_, err := FillKeys(&try, Known{}, true)
		if err == nil {
			_, err = BuildSites(try.Sites)
		} else if inner := errors.Unwrap(err); inner != nil {
			err = inner // without what Refused adds
		}
		if err == nil {
			return
		}
		m := siteAtFront.FindStringSubmatch(err.Error())
		if m == nil {
			c.add("", err.Error())
			return
		}
		quoted := m[1]
		if m[2] != "" {
			quoted = m[2]
		}
		at := -1
		for i := range list {
			if fmt.Sprintf("%q", list[i].Name) == quoted {
				at = i // the last one, where two have one name
			}
		}
		if at < 0 {
			c.add("", err.Error())
			return
		}
		where := c.o.site(number[at])
		if m[3] != "" {
			if line := c.o.Of(fmt.Sprintf("site[%d].%s", number[at], m[3])); line != "" {
				where = line
			}
		}
		c.add(where, err.Error())
		list, number = slices.Delete(list, at, at+1), slices.Delete(number, at, at+1)
	}
}
