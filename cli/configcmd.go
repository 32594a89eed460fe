package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"

	"cairn/cli/config"
	"cairn/http/wire"
)

// This file is "cairn config": it checks the configuration, and shows it.

const configAbout = `check   find every mistake in the file, the CAIRN_ variables and the flags, each with its place.
        It checks what "cairn serve" checks, and starts nothing. The exit code is 1 if there is one.
show    print the whole configuration as TOML, and where each value comes from: a flag, a
        variable, a line of the file, or the default. Secrets are masked.`

func cmdConfig(args []string, stdout, stderr io.Writer) int {
	f := newFlags("config", "check|show [flags]", configAbout)
	var cf config.Flags
	cf.Register(f.FlagSet)
	if code, done := f.parse(args, 1, 1, stdout, stderr); done {
		return code
	}
	switch f.Arg(0) {
	case "check":
		return configCheck(cf, stdout)
	case "show":
		cfg, _, err := config.Load(cf, os.Environ())
		if err != nil {
			return fail(stderr, "config", fmt.Errorf("%w\n\"cairn config check\" prints all mistakes", err))
		}
		fmt.Fprint(stdout, cfg.Show(config.NewOrigins(&cfg, cf, os.Environ())))
		return ExitOK
	}
	fmt.Fprintf(stderr, "cairn config: %q is neither check nor show\nRun \"cairn help config\" for its usage.\n", f.Arg(0))
	return ExitUsage
}

// configCheck prints every mistake and warning.
func configCheck(cf config.Flags, stdout io.Writer) int {
	cfg, mistakes, warnings := config.Check(cf, os.Environ())
	o := config.NewOrigins(&cfg, cf, os.Environ())
	add := func(key string, err error) {
		if err == nil {
			return
		}
		text := err.Error()
		if where := o.Of(key); where != "" {
			text = where + ": " + text
		}
		mistakes = append(mistakes, text)
	}
	if cfg.TLSCert != "" && cfg.TLSKey != "" {
		_, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		add("tls_cert", err)
	}
	if acme := certOptions(&cfg).ACME; len(acme.Hosts) > 0 {
		acme.Look = true
		_, err := new(wire.Certs).Prepare(wire.CertOptions{ACME: acme})
		add("acme_ca", err) // the only one of these keys that names a file
	}
	for _, file := range geoFiles(&cfg) {
		if _, err := os.Stat(file); err != nil {
			warnings = append(warnings, fmt.Sprintf("geo.database: %v; no location is known until the file is there", err))
		}
	}
	if cfg.DataDir != "" {
		add("data_dir", checkDataDir(cfg.DataDir))
	}
	for _, m := range mistakes {
		fmt.Fprintln(stdout, m)
	}
	for _, w := range warnings {
		fmt.Fprintf(stdout, "warning: %s\n", w)
	}
	if n := len(mistakes); n > 0 {
		fmt.Fprintf(stdout, "%s. The server would not start with this configuration.\n", plural(uint64(n), "mistake"))
		return ExitFailed
	}
	fmt.Fprintln(stdout, "The configuration is good.")
	return ExitOK
}
