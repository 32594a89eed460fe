package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"cairn/cli/config"
)

// This file has the commands "site" and "reload", which ask the running server to change its
// configuration.

// siteCommands are the words after "cairn site".
var siteCommands = []struct {
	name, args, help string
	least, most      int // arguments
	run              func(s *server, args []string, purge bool, stdout, stderr io.Writer) error
}{
	{"add", "[flags] NAME [KEY=VALUE...]", "Make a site, at once and without a restart. The keys are those of [[site]] in the\nconfiguration, such as timezone=Europe/Rome, hosts=shop.example,www.shop.example or\nmatomo.only_hosts=true. \"cairn keys\" prints the credentials that the site gets.", 1, 1 << 10, addSite},
	{"list", "[flags]", "List the sites, and in which file each of them is.", 0, 0, listSites},
	{"set", "[flags] NAME KEY=VALUE...", "Change settings of a site that was made with \"cairn site add\". A list has commas between\nits values; KEY= empties it. A key of a table has a dot: matomo.debug=true. Goals are set\nby the call PATCH /api/v1/admin/sites/NAME alone.", 2, 1 << 10, setSite},
	{"remove", "[flags] NAME", "Remove a site that was made with \"cairn site add\". Its keys open nothing any more. Its\nevents stay in the store, and are shown again when a site of this name is added.", 1, 1, removeSite},
}

// cmdSite is "cairn site".
func cmdSite(args []string, stdout, stderr io.Writer) int {
	words := make([]string, len(siteCommands))
	for i, c := range siteCommands {
		words[i] = c.name
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		w, code := stderr, ExitUsage
		if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
			w, code = stdout, ExitOK
		} else if len(args) > 0 {
			fmt.Fprintf(w, "cairn site: the command comes before flags such as %s\n", args[0])
		}
		fmt.Fprint(w, "Usage: cairn site COMMAND [arguments]\n\n")
		for _, c := range siteCommands {
			first, _, _ := strings.Cut(c.help, ".")
			fmt.Fprintf(w, "  %-7s %-28s %s\n", c.name, c.args, strings.ReplaceAll(first, "\n", " "))
		}
		fmt.Fprint(w, "\n\"cairn site COMMAND -h\" prints the flags of a command.\n")
		return code
	}
	i := slices.Index(words, args[0])
	if i < 0 {
		fmt.Fprintf(stderr, "cairn: unknown command \"site %s\"%s\n", args[0], config.DidYouMean(args[0], words))
		return ExitUsage
	}
	c := siteCommands[i]
	f := newFlags("site "+c.name, c.args, c.help)
	purge := new(bool)
	if c.name == "remove" {
		purge = f.Bool("purge", false, "delete the events of the site, too: no file of the store has them any more")
	}
	return askServer(f, "site "+c.name, c.least, c.most, args[1:], stdout, stderr, func(s *server, args []string) error {
		return c.run(s, args, *purge, stdout, stderr)
	})
}

// reloadServer is "cairn reload".
func reloadServer(args []string, stdout, stderr io.Writer) int {
	f := newFlags("reload", "[flags]", "Have the running server read its configuration again, as SIGHUP does. After a mistake in it\nnothing changes. Requests that have begun continue with what they began with.")
	return askServer(f, "reload", 0, 0, args, stdout, stderr, func(s *server, _ []string) error {
		var done changed
		if err := s.ask(http.MethodPost, "/api/v1/admin/reload", &done); err != nil {
			return err
		}
		if len(done.Changed) > 0 {
			fmt.Fprintf(stdout, "Reloaded: %s.\n", strings.Join(done.Changed, ", "))
		}
		done.notes(stderr)
		return nil
	})
}

// askServer runs a command that asks the running server of a configuration.
func askServer(f *flags, name string, least, most int, args []string, stdout, stderr io.Writer, do func(s *server, args []string) error) int {
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	if code, done := f.parse(args, least, most, stdout, stderr); done {
		return code
	}
	s, err := reachWith(cf, *url)
	if err == nil {
		err = do(s, f.Args())
	}
	if err != nil {
		return fail(stderr, name, err)
	}
	return ExitOK
}

// reachWith is reach for flags. It takes the admin's token alone from keys.toml: the configuration may
// have a site that the server does not know yet. A configuration with a mistake will do if it leads
// to a running server, which then says what the mistake stops.
func reachWith(cf config.Flags, url string) (*server, error) {
	cfg, _, err := config.Load(cf, os.Environ())
	if err != nil {
		cfg, _, _ = config.Check(cf, os.Environ())
		if cf.DataDir != "" {
			cfg.DataDir = cf.DataDir
		}
		if !served(&cfg) {
			return nil, fmt.Errorf("%w\nThe server was not asked, and nothing has changed: mend the configuration first", err)
		}
	}
	if err := readAdminToken(&cfg); err != nil {
		return nil, err
	}
	return reach(&cfg, url)
}

// changed is what the server answers to a change.
type changed struct {
	Changed []string        `json:"changed"`
	Notes   []string        `json:"notes"`
	Site    *configuredSite `json:"site"`
}

// notes prints the sentences for the operator.
func (c *changed) notes(w io.Writer) {
	for _, note := range c.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
}

// configuredSite is a site as the server answers it.
type configuredSite struct {
	Name     string  `json:"name"`
	ID       uint32  `json:"id"`
	Made     bool    `json:"made"`
	File     *string `json:"file"`
	Settings struct {
		Timezone string   `json:"timezone"`
		Hosts    []string `json:"hosts"`
	} `json:"settings"`
}

// sitesPath is the path of the calls about sites.
const sitesPath = "/api/v1/admin/sites"

// pairs reads KEY=VALUE.
func pairs(args []string) (map[string]any, error) {
	settings := make(map[string]any)
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not KEY=VALUE, such as timezone=Europe/Rome", arg)
		}
		if _, twice := settings[key]; twice {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		settings[key] = value
	}
	return settings, nil
}

func addSite(s *server, args []string, _ bool, stdout, stderr io.Writer) error {
	settings, err := pairs(args[1:])
	if err != nil {
		return err
	}
	settings["name"] = args[0]
	var done changed
	if err := s.send(http.MethodPost, sitesPath, settings, &done); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The site %s is there, with the id %d. \"cairn keys\" prints its keys.\n", done.Site.Name, done.Site.ID)
	done.notes(stderr)
	return nil
}

func setSite(s *server, args []string, _ bool, stdout, stderr io.Writer) error {
	settings, err := pairs(args[1:])
	if err != nil {
		return err
	}
	var done changed
	if err := s.send(http.MethodPatch, sitesPath+"/"+url.PathEscape(args[0]), settings, &done); err != nil {
		return err
	}
	if len(done.Changed) == 0 {
		fmt.Fprintf(stdout, "The site %s had these settings already.\n", args[0])
	} else {
		fmt.Fprintf(stdout, "The site %s has the new settings.\n", args[0])
	}
	done.notes(stderr)
	return nil
}

func removeSite(s *server, args []string, purge bool, stdout, stderr io.Writer) error {
	path := sitesPath + "/" + url.PathEscape(args[0])
	if !purge {
		var done changed
		if err := s.ask(http.MethodDelete, path, &done); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "The site %s is removed. Its events stay in the store.\n", args[0])
		done.notes(stderr)
		return nil
	}
	var receipt struct {
		Rows    uint64   `json:"rows"`
		Removed *changed `json:"removed"`
	}
	if err := s.ask(http.MethodDelete, path+"?purge=1&now=1", &receipt); err != nil {
		return err
	}
	if receipt.Removed == nil {
		fmt.Fprintf(stdout, "%s of the site %s deleted. The site stays, because it is in the configuration or the only one.\n", plural(receipt.Rows, "event"), args[0])
		return nil
	}
	fmt.Fprintf(stdout, "The site %s is removed, and its %s deleted.\n", args[0], plural(receipt.Rows, "event"))
	receipt.Removed.notes(stderr)
	return nil
}

func listSites(s *server, _ []string, _ bool, stdout, _ io.Writer) error {
	var answer struct {
		Sites []configuredSite `json:"sites"`
	}
	if err := s.ask(http.MethodGet, sitesPath, &answer); err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tID\tTIME ZONE\tHOSTS\tIN")
	for _, one := range answer.Sites {
		in := "-"
		if one.File != nil {
			in = *one.File
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", one.Name, one.ID, one.Settings.Timezone, strings.Join(one.Settings.Hosts, ","), in)
	}
	return w.Flush()
}

// send asks the server for a call with a JSON body.
func (s *server) send(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.call(method, path, text, answer)
}
