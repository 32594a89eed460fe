// Package config is the only package that reads TOML and environment variables. It turns
// the file, the CAIRN_ variables and the flags into one Config, fills in the keys of the
// sites, and builds the sites for http.
//
// Read config.go first: it has every key. file.go and env.go fill it. keys.go generates
// the credentials that are left out and keeps them in keys.toml. madesites.go keeps the sites
// that are made at run time in sites.toml, sitekeys.go their keys, and sitejson.go sets their
// settings from JSON. sites.go and network.go check everything, and sites.go builds the sites.
// backup.go has the settings of backups, sinks.go those of sinks, mcp.go those of assistants. change.go compares two configurations. check.go finds every mistake of one, and origin.go says
// where each value comes from.
package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"cairn/engine"
	"cairn/http/dialect"
	"cairn/http/matomo"
	"cairn/http/openpanel"
	"cairn/http/segment"
)

// This file defines the configuration keys with their defaults, and where a value comes
// from: a flag wins over the environment, the environment over the file, and the file
// over the default. The keys of a dialect are in its settings.go, with their defaults and
// checks. config.example.toml shows every key to the operator; a test checks
// that it agrees with this file.

// Config is the whole configuration. Load fills it; Validate and BuildSites check it.
type Config struct {
	Listen           List             `toml:"listen"`
	ListenHTTP       string           `toml:"listen_http"` // "" = nothing is sent to TLS
	DataDir          string           `toml:"data_dir"`
	AdminToken       string           `toml:"admin_token"`
	AdminTokenFile   string           `toml:"admin_token_file"`
	MetricsToken     string           `toml:"metrics_token"` // never generated
	MetricsTokenFile string           `toml:"metrics_token_file"`
	Memory           dialect.Size     `toml:"memory"`
	Reserve          string           `toml:"reserve"` // "auto", or a size; 0 = no check
	SnapshotDir      string           `toml:"snapshot_dir"`
	DedupHours       int              `toml:"dedup_hours"`
	Purge            dialect.Duration `toml:"purge"`           // how soon deleted events are in no file
	RetentionBytes   dialect.Size     `toml:"retention_bytes"` // 0 = no limit
	PublicURL        string           `toml:"public_url"`      // "" = each request says how the server is reached
	BasePath         string           `toml:"base_path"`       // "" = the path of PublicURL
	Dashboard        bool             `toml:"dashboard"`
	TrustedProxies   []string         `toml:"trusted_proxies"`
	IPRate           float64          `toml:"ip_rate"`
	IPConns          int              `toml:"ip_conns"`
	TLSCert          string           `toml:"tls_cert"`
	TLSKey           string           `toml:"tls_key"`
	ACMEHosts        []string         `toml:"acme_hosts"`
	ACMEEmail        string           `toml:"acme_email"`
	ACMEDirectory    string           `toml:"acme_directory"` // "" = Let's Encrypt
	ACMECA           string           `toml:"acme_ca"`
	DebugListen      string           `toml:"debug_listen"` // "" = no profiles
	LogLevel         string           `toml:"log_level"`
	LogFormat        string           `toml:"log_format"`

	Geo struct {
		Database string `toml:"database"`
	} `toml:"geo"`

	Backup Backup `toml:"backup"`
	MCP    MCP    `toml:"mcp"`
	Sink   Sinks  `toml:"sink"`

	Sites          []Site    `toml:"site"` // first those of the configuration, then those made at run time
	made           MadeSites // as in sites.toml
	implicit       bool      // see Implicit
	adminGenerated bool      // FillKeys has taken the admin token from keys.toml
	file           string    // the configuration file; "" = none
}

// Implicit says that no site was ever configured or made: Sites then holds only the one that
// cairn adds.
func (c *Config) Implicit() bool { return c.implicit }

// SiteKeys has the name and id of a site and its credentials for all dialects.
type SiteKeys struct {
	Name         string `toml:"name"`
	ID           uint32 `toml:"id"` // 0 = the next free one, kept in keys.toml
	WriteKey     string `toml:"write_key"`
	ClientID     string `toml:"client_id"`
	ClientSecret string `toml:"client_secret"`
	SecretKey    string `toml:"secret_key"`
	TokenAuth    string `toml:"token_auth"`
	ReadKey      string `toml:"read_key"`
}

// Site is one [[site]]. BuildSites converts it to the type that http uses.
type Site struct {
	SiteKeys
	WriteKeyFile     string `toml:"write_key_file"`
	ClientSecretFile string `toml:"client_secret_file"`
	SecretKeyFile    string `toml:"secret_key_file"`
	TokenAuthFile    string `toml:"token_auth_file"`
	ReadKeyFile      string `toml:"read_key_file"`

	segment.Settings                    // event_limit and batch_limit
	OpenPanel        openpanel.Settings `toml:"openpanel"`
	Matomo           matomo.Settings    `toml:"matomo"`
	Goals            []matomo.Goal      `toml:"goal"`

	Origins       []string `toml:"origins"`
	Hosts         []string `toml:"hosts"`
	Timezone      string   `toml:"timezone"`
	Currency      string   `toml:"currency"`
	RateLimit     int      `toml:"rate_limit"`
	IP            string   `toml:"ip"`
	DNT           bool     `toml:"dnt"`
	GPC           bool     `toml:"gpc"`
	ExcludeIPs    []string `toml:"exclude_ips"`
	ExcludeAgents []string `toml:"exclude_agents"`
	StripParams   []string `toml:"strip_params"`
	Uncounted     []string `toml:"uncounted"`
	RetentionDays int      `toml:"retention_days"`

	made      bool      // see IsMade
	generated []string  // kinds of keys that FillKeys has taken from keys.toml
	keys      []MadeKey // made at run time, beside those of SiteKeys
}

// Default is the configuration without a file, environment variables and flags. It has no
// site; Load adds one when the configuration names none.
func Default() Config {
	return Config{
		Listen:     List{"127.0.0.1:8080"},
		DataDir:    "cairn-data",
		Memory:     256 << 20,
		Reserve:    "auto",
		DedupHours: 24,
		Purge:      dialect.Duration(24 * time.Hour),
		Dashboard:  true,
		IPRate:     200,
		IPConns:    256,
		LogLevel:   "info",
		LogFormat:  "auto",
		Backup:     defaultBackup(),
		Sink:       defaultSinks(),
	}
}

// DefaultSite is a [[site]] in which no key is set. Its name is empty and its id is 0.
func DefaultSite() Site {
	return Site{
		Matomo:   matomo.Defaults(),
		Settings: segment.Defaults(),
		Timezone: "UTC",
		IP:       "truncate",
		GPC:      true,
	}
}

// Flags are the flags of every command that reads the configuration. A flag that was not
// given is empty.
type Flags struct {
	File    string // the TOML file
	DataDir string // wins over data_dir
	Listen  string // wins over listen

	// Accept takes a sites.toml that cairn did not write, as long as it can be read.
	Accept bool
}

// Register adds -config, -data and -listen to f, which fills c when it is parsed.
func (c *Flags) Register(f *flag.FlagSet) {
	f.StringVar(&c.File, "config", "", "read the configuration from `FILE` (TOML; config.example.toml shows every key)")
	f.StringVar(&c.DataDir, "data", "", "use the data directory `DIR` (default cairn-data)")
	f.StringVar(&c.Listen, "listen", "", "the server listens on `ADDRESS`, or on several with commas between them (default 127.0.0.1:8080)")
}

// Load reads the file, the environment and the flags. environ has the form of os.Environ.
// The warnings are for the operator's log; the configuration is usable despite them. An
// error names the file and the line, or the variable.
func Load(fl Flags, environ []string) (cfg Config, warnings []string, err error) {
	return Change(fl, environ, func(*Config, *MadeSites) error { return nil })
}

// Change is Load after a change of the sites made at run time. change gets the configuration
// without those, and its error is Change's. Nothing is written.
func Change(fl Flags, environ []string, change func(*Config, *MadeSites) error) (cfg Config, warnings []string, err error) {
	env := map[string]string{}
	for _, kv := range environ {
		// An empty variable counts as unset: compose files make those.
		if k, v, _ := strings.Cut(kv, "="); v != "" && strings.HasPrefix(k, "CAIRN_") {
			env[k] = v
		}
	}
	file := fl.File
	if file == "" {
		file = env["CAIRN_CONFIG"]
	}
	for _, name := range noKeys {
		delete(env, name)
	}

	cfg = Default()
	defer func() { cfg.file = file }()
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return cfg, nil, err
		}
		if cfg, err = parseConfig(file, string(text)); err != nil {
			return cfg, nil, err
		}
		if cfg.hasSecret() {
			warnings = warnReadable(warnings, file)
		}
	}
	used := map[string]bool{}
	if err := overlay(reflect.ValueOf(&cfg).Elem(), "CAIRN_", env, used); err != nil {
		return cfg, nil, err
	}
	warnings = append(warnings, cfg.raiseMemory()...)
	if fl.Listen != "" {
		cfg.Listen = listOf(fl.Listen)
	}
	if fl.DataDir != "" {
		cfg.DataDir = fl.DataDir
	}
	made, err := ReadSites(filepath.Join(cfg.DataDir, SitesName))
	if err != nil && !(fl.Accept && errors.As(err, new(*SitesError))) {
		return cfg, nil, err
	}
	cfg.file = file
	if err := change(&cfg, &made); err != nil {
		return cfg, nil, err
	}
	// Sites are added before the environment is read, so that CAIRN_SITE_DEFAULT_SECRET_KEY can set
	// a key of one.
	warnings = append(warnings, cfg.add(made)...)
	unused, err := applyEnv(&cfg, env, used)
	if err != nil {
		return cfg, nil, err
	}
	warnings = append(warnings, unused...)
	if err := cfg.readSecretFiles(); err != nil {
		return cfg, nil, err
	}
	return cfg, append(warnings, cfg.warnings()...), nil
}

// raiseMemory gives the server the least memory that it can run with.
func (c *Config) raiseMemory() (warnings []string) {
	if c.Memory < engine.MemoryLeast {
		warnings = append(warnings, fmt.Sprintf("memory = %q is too little; the server uses %q", c.Memory, dialect.Size(engine.MemoryLeast)))
		c.Memory = engine.MemoryLeast
	}
	return warnings
}

// warnings are those of a configuration that is complete.
func (c *Config) warnings() (list []string) {
	for i := range c.Sites {
		for _, w := range c.Sites[i].Matomo.Warnings() {
			list = append(list, fmt.Sprintf("site %q: %s", c.Sites[i].Name, w))
		}
	}
	list = append(list, c.Backup.warnings()...)
	list = append(list, c.Sink.warnings()...)
	for _, file := range c.secretFiles() {
		list = warnReadable(list, file)
	}
	return list
}

// Refused is the error of a configuration that the server does not start with. It says what to
// do next.
func (c *Config) Refused(err error) error {
	what := "the flags and variables CAIRN_… that configure cairn"
	if c.file != "" {
		what = c.file
	}
	for i := range c.Sites {
		if s := &c.Sites[i]; s.made && c.made.Site(s.Name) != nil && strings.HasPrefix(err.Error(), fmt.Sprintf("site %q", s.Name)) {
			what = filepath.Join(c.DataDir, SitesName) + ", accept it with \"cairn keys -accept\","
		}
	}
	return &RefusedError{err, what}
}

// RefusedError is the error of Refused.
type RefusedError struct {
	Err  error  // what is wrong
	Mend string // where to mend it
}

func (e *RefusedError) Error() string {
	end := ". "
	if strings.Contains(e.Err.Error(), "\n") {
		end = "\n"
	}
	return fmt.Sprintf("%v%sNothing was changed, and no event is lost. Mend %s and start again", e.Err, end, e.Mend)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// warnReadable adds a warning if every user of the machine can read a file of secrets.
func warnReadable(warnings []string, file string) []string {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows" {
		warnings = append(warnings, fmt.Sprintf("every user of this machine can read %s, which has secrets; use chmod o-rwx", file))
	}
	return warnings
}

// hasSecret says whether a key that must stay secret is set.
func (c *Config) hasSecret() bool {
	if c.AdminToken != "" || c.MetricsToken != "" || c.Backup.AccessSecret != "" {
		return true
	}
	for i := range c.Sites {
		for _, secret := range c.Sites[i].private() {
			if *secret.to != "" {
				return true
			}
		}
	}
	return false
}

// secretFiles are the files that the configuration names for secrets, each once.
func (c *Config) secretFiles() (files []string) {
	add := func(file string) {
		if file != "" && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	add(c.AdminTokenFile)
	add(c.MetricsTokenFile)
	add(c.Backup.AccessSecretFile)
	add(c.Backup.PassphraseFile)
	for _, s := range c.Sink.secrets() {
		add(s.file)
	}
	for i := range c.Sites {
		for _, secret := range c.Sites[i].private() {
			add(secret.file)
		}
	}
	return files
}

// secret is a key whose value is in the configuration itself or in a file that it names.
type secret struct {
	key  string
	to   *string
	file string
}

func (s *Site) secrets() []secret {
	return []secret{
		{"write_key", &s.WriteKey, s.WriteKeyFile},
		{"client_secret", &s.ClientSecret, s.ClientSecretFile},
		{"secret_key", &s.SecretKey, s.SecretKeyFile},
		{"token_auth", &s.TokenAuth, s.TokenAuthFile},
		{"read_key", &s.ReadKey, s.ReadKeyFile},
		{"tracking_token", &s.Matomo.TrackingToken, s.Matomo.TrackingTokenFile},
	}
}

// private are the secrets but for the write key, which is public.
func (s *Site) private() []secret { return s.secrets()[1:] }

// secretMin is the least number of characters that a secret should have. A shorter one
// is accepted with a warning.
const secretMin = 20

// ShortSecrets returns a warning for each configured secret that is easy to guess. It
// ignores the write key, which is public.
func (c *Config) ShortSecrets() (warnings []string) {
	warn := func(where, key, text string) {
		if n := len(text); n > 0 && n < secretMin {
			warnings = append(warnings, fmt.Sprintf("%s%s has only %d characters and is easy to guess; use %d or more", where, key, n, secretMin))
		}
	}
	warn("", "admin_token", c.AdminToken)
	warn("", "metrics_token", c.MetricsToken)
	for i := range c.Sites {
		for _, secret := range c.Sites[i].private() {
			warn(fmt.Sprintf("site %q: ", c.Sites[i].Name), secret.key, *secret.to)
		}
	}
	return warnings
}

// readSecretFiles reads each secret that the configuration names as a file.
func (c *Config) readSecretFiles() error {
	if err := readSecret(&c.AdminToken, c.AdminTokenFile, "admin_token"); err != nil {
		return err
	}
	if err := readSecret(&c.MetricsToken, c.MetricsTokenFile, "metrics_token"); err != nil {
		return err
	}
	if err := c.Backup.readSecrets(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := c.Sink.readSecrets(); err != nil {
		return err
	}
	for i := range c.Sites {
		s := &c.Sites[i]
		for _, secret := range s.secrets() {
			if err := readSecret(secret.to, secret.file, secret.key); err != nil {
				return fmt.Errorf("site %q: %w", s.Name, err)
			}
		}
	}
	return nil
}

// readSecret sets *to to the text of file without the white space around it.
func readSecret(to *string, file, key string) error {
	if file == "" {
		return nil
	}
	if *to != "" {
		return fmt.Errorf("both %s and %s_file are set; set only one", key, key)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s_file: %w", key, err)
	}
	if *to = strings.TrimSpace(string(text)); *to == "" {
		return fmt.Errorf("%s_file: %s is empty", key, file)
	}
	return nil
}
