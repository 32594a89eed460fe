package cli

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"cairn/cli/config"
	"cairn/engine"
)

// This file prints the keys of the sites: to a terminal once when they are generated, and
// with "cairn keys".

// curlLines has one command to try for each dialect. base is the server's URL without a
// slash at the end.
var curlLines = []struct {
	dialect string
	line    func(base string, k *config.SiteKeys) string
}{
	{"native", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS %s/api/v1/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"name":"signup","user":"ada","properties":{"plan":"pro"}}'`, base, k.SecretKey)
	}},
	{"oppizi", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS %s/tracking/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"eventName":"Purchase","value":250,"metadata":{"orderId":182394}}'`, base, k.SecretKey)
	}},
	{"opentracker", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS '%s/?si=%s&ti=Hello&gender=male&json'`, base, k.Name)
	}},
	{"segment", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS %s/v1/track -u '%s:' -H 'Content-Type: application/json' -d '{"event":"Order Completed","userId":"ada","properties":{"revenue":49.9}}'`, base, k.WriteKey)
	}},
	{"openpanel", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS %s/track -H 'openpanel-client-id: %s' -H 'openpanel-client-secret: %s' -H 'Content-Type: application/json' -d '{"type":"track","payload":{"name":"my_event","profileId":"ada","properties":{"foo":"bar"}}}'`, base, k.ClientID, k.ClientSecret)
	}},
	{"matomo", func(base string, k *config.SiteKeys) string {
		return fmt.Sprintf(`curl -sS %s/matomo.php -d '{"requests":["?idsite=%d&rec=1&url=https://shop.example/&action_name=Hello"]}'`, base, k.ID)
	}},
}

// announceKeys tells the operator about keys that this start has generated. The keys
// themselves go to a terminal alone: elsewhere what a server prints is kept in a log.
func announceKeys(w io.Writer, cfg *config.Config, base string, terminal bool) {
	file := filepath.Join(cfg.DataDir, config.KeysName)
	if !terminal {
		fmt.Fprintf(w, "cairn generated the keys of the sites and saved them in %s. \"cairn keys\" prints them.\n", file)
		return
	}
	fmt.Fprintf(w, "cairn generated these keys and saved them in %s. \"cairn keys\" prints them again.\n\n", file)
	showKeys(w, cfg, base)
}

// showKeys prints the keys of every site and commands to try them. They begin with public_url, if
// that is set.
func showKeys(w io.Writer, cfg *config.Config, base string) {
	base = cmp.Or(strings.TrimSuffix(cfg.PublicURL, "/"), base, "http://localhost")
	fmt.Fprintf(w, "admin_token    %s   (reads and writes every site, makes snapshots)\n", cfg.AdminToken)
	for i := range cfg.Sites {
		k := &cfg.Sites[i].SiteKeys
		fmt.Fprintf(w, "\nsite %q, id %d\n", k.Name, k.ID)
		for _, shape := range config.KeyShapes {
			fmt.Fprintf(w, "  %-14s %s   (%s)\n", shape.Name, *shape.Of(k), shape.About)
		}
		fmt.Fprintln(w, "\n  Send an event:")
		for _, c := range curlLines {
			fmt.Fprintf(w, "  # %s\n  %s\n", c.dialect, c.line(base, k))
		}
		fmt.Fprintf(w, "\n  List the newest events:\n  curl -sS '%s/api/v1/events?limit=10' -H 'Authorization: Bearer %s'\n", base, k.ReadKey)
	}
}

// acceptKeys makes keys.toml valid as it is. The store notes the ids that it gives to the names
// of sites.
func acceptKeys(cfg *config.Config, log *slog.Logger) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := checkStored(cfg.DataDir); err != nil {
		return err
	}
	lock, err := lockDir(cfg.DataDir, true)
	if err != nil {
		return err
	}
	defer lock.Close()
	found, filled, err := fillKeys(cfg, true)
	if err != nil {
		return err
	}
	for _, w := range filled.Warnings {
		log.Warn(w)
	}
	sites, err := config.BuildSites(cfg.Sites)
	if err != nil {
		return err
	}
	opts, err := EngineOptions(cfg, sites, log, make(chan error, 1))
	if err != nil {
		return err
	}
	opts.Found, opts.KeysNoted = found, filled.Signed()
	eng, err := engine.Open(opts)
	if err != nil {
		return explainLock(err, cfg.DataDir)
	}
	if err := eng.Close(); err != nil {
		return err
	}
	if cfg.Made().Found() {
		if err := cfg.WriteSites(); err != nil {
			return err
		}
	}
	return filled.Write()
}

// printKeys is "cairn keys".
func printKeys(args []string, stdout, stderr io.Writer) int {
	f := newFlags("keys", "[flags]", "Print the keys of every site, both configured and generated ones, and commands that\ntry each protocol. Keys that \"cairn key\" has made are not among them: only their SHA-256 is\nknown. With -admin, print the admin token.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	admin := f.Bool("admin", false, "print the admin token alone; it opens every site")
	renew := f.Bool("renew", false, "with -admin: first make another admin token; the old one ends at once, and so do the dashboard's logins with it")
	url := f.String("url", "", "with -admin: reach the server at `URL` (default: through its data directory)")
	accept := f.Bool("accept", false, "first accept keys.toml and sites.toml as they are, after an edit or a loss, and generate keys that are missing; the server must be stopped")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	if (*renew || *url != "") && !*admin || *admin && *accept {
		fmt.Fprintln(stderr, "cairn keys: -renew and -url go with -admin, and -accept does not\nRun \"cairn help keys\" for its usage.")
		return ExitUsage
	}
	cf.Accept = *accept
	cfg, _, err := config.Load(cf, os.Environ())
	switch {
	case err != nil:
	case *admin:
		if err := adminToken(&cfg, *url, *renew, stdout, stderr); err != nil {
			return fail(stderr, "keys", err)
		}
		return ExitOK
	case *accept:
		err = acceptKeys(&cfg, newLogger(&cfg, stderr, new(slog.LevelVar)))
	default:
		err = config.ShowKeys(&cfg)
	}
	if err == nil {
		_, err = config.BuildSites(cfg.Sites)
	}
	if err != nil {
		return fail(stderr, "keys", err)
	}
	showKeys(stdout, &cfg, baseURL(&cfg, cfg.Listen))
	return ExitOK
}
