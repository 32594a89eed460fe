package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/cli/config"
	"cairn/http/adminlog"
	"cairn/http/dialect"
)

// This file has the command "key". It asks the running server; on a stopped data directory it
// changes the files itself.

// keyCommand is a word after "cairn key" with its flags.
type keyCommand struct {
	config.Flags
	url, site   string
	name, kind  string
	ends, grace string
}

var keyWords = []string{"add", "list", "set", "rotate", "remove"}

// cmdKey is "cairn key".
func cmdKey(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || !slices.Contains(keyWords, args[0]) {
		f := newFlags("key", strings.Join(keyWords, "|")+" [flags]", "Make, list, replace and remove keys of a site, at once and without a restart: the commands\nare add, list, set, rotate and remove. A site has\nany number of keys of a kind, and a key may end. What a command makes is shown once: cairn\nkeeps its SHA-256 in sites.toml in the data directory.\n\n\"cairn key COMMAND -h\" prints the flags of a command.")
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			fmt.Fprintf(stderr, "cairn: unknown command \"key %s\"%s\n", args[0], config.DidYouMean(args[0], keyWords))
			return ExitUsage
		}
		if code, done := f.parse(args, 1, 1, stdout, stderr); done {
			return code
		}
	}
	c := new(keyCommand)
	word, most := args[0], 1
	var f *flags
	var run func(c *keyCommand, id string, stdout, stderr io.Writer) error
	switch word {
	case "add":
		f = newFlags("key add", "[flags]", "Make one more key of a site, and print it.")
		f.StringVar(&c.name, "name", "", "what the key is called in lists and in admin.log, for example the program that uses it")
		f.StringVar(&c.kind, "kind", "secret_key", "the `KIND`: "+strings.Join(config.Kinds(), ", "))
		f.StringVar(&c.ends, "ends", "", "the key ends at `TIME`: 2027-01-31T12:00:00Z, or after a time such as 90d (default: never)")
		most, run = 0, (*keyCommand).add
	case "list":
		f = newFlags("key list", "[flags]", "List the keys of a site, without the keys themselves.")
		most, run = 0, (*keyCommand).list
	case "set":
		f = newFlags("key set", "[flags] ID", "Change the name or the end of a key that was made at run time. Flags that are left out change\nnothing.")
		f.StringVar(&c.name, "name", "", "what the key is called from now on")
		f.StringVar(&c.ends, "ends", "", "the key ends at `TIME`: 2027-01-31T12:00:00Z, after a time such as 90d, or never")
		run = (*keyCommand).set
	case "rotate":
		f = newFlags("key rotate", "[flags] ID", "Make a key in place of another one, and print it. The other one lives on for a while. ID\nis what \"cairn key list\" shows; for a generated key in keys.toml it is the kind.")
		f.StringVar(&c.grace, "grace", "24h", "the old key lives on for `TIME`; 0s: it ends at once")
		run = (*keyCommand).rotate
	case "remove":
		f = newFlags("key remove", "[flags] ID", "Remove a key that was made at run time. It opens nothing any more.")
		run = (*keyCommand).remove
	}
	c.Register(f.FlagSet)
	f.StringVar(&c.site, "site", "", "the `NAME` of the site (default: the only one)")
	f.StringVar(&c.url, "url", "", "reach the server at `URL` (default: through its data directory)")
	if code, done := f.parse(args[1:], most, most, stdout, stderr); done {
		return code
	}
	if err := run(c, f.Arg(0), stdout, stderr); err != nil {
		return fail(stderr, "key "+word, err)
	}
	return ExitOK
}

// shownKey is a key as the server answers it.
type shownKey struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	File     string     `json:"file"`
	Created  *time.Time `json:"created"`
	Ends     *time.Time `json:"ends"`
	Ended    bool       `json:"ended"`
	LastUsed *string    `json:"last_used"`
}

// shown is a key of a stopped data directory. When it was last used is in the store.
func shown(k *config.KeyInfo, now time.Time) shownKey {
	one := shownKey{ID: k.ID, Name: k.Name, Kind: k.Kind, File: k.Source}
	if !k.Created.IsZero() {
		one.Created = &k.Created
	}
	if !k.Ends.IsZero() {
		one.Ends, one.Ended = &k.Ends, !k.Ends.After(now)
	}
	return one
}

// reach finds the running server, or locks the data directory of a stopped one: server is nil then,
// and the keys of cfg are filled in. end gives the lock back.
func (c *keyCommand) reach() (cfg *config.Config, s *server, end func(), err error) {
	loaded, _, err := config.Load(c.Flags, os.Environ())
	if err != nil {
		return nil, nil, nil, err
	}
	cfg = &loaded
	s, end, err = reachOrLock(cfg, c.url)
	if err == nil && c.site == "" {
		if len(cfg.Sites) != 1 {
			end()
			return nil, nil, nil, errors.New("there are several sites: name one with -site")
		}
		c.site = cfg.Sites[0].Name
	}
	return cfg, s, end, err
}

// reachOrLock finds the running server of a configuration. If none runs, s is nil: the data
// directory is locked then, and its keys are filled in.
func reachOrLock(cfg *config.Config, url string) (s *server, end func(), err error) {
	if url == "" && !served(cfg) {
		if err := checkStored(cfg.DataDir); err != nil {
			return nil, nil, err
		}
		lock, err := lockDir(cfg.DataDir, true)
		if err == nil {
			_, filled, err := fillKeys(cfg, false)
			if err == nil {
				err = filled.Write()
			}
			if err != nil {
				lock.Close()
				return nil, nil, err
			}
			return nil, func() { lock.Close() }, nil
		}
	}
	if err := readAdminToken(cfg); err != nil {
		return nil, nil, err
	}
	s, err = reach(cfg, url)
	return s, func() {}, err
}

// path is the path of the calls about the keys of the site.
func (c *keyCommand) path(more ...string) string {
	path := sitesPath + "/" + url.PathEscape(c.site) + "/keys"
	for _, word := range more {
		path += "/" + url.PathEscape(word)
	}
	return path
}

// stopped changes the files of a stopped data directory.
func (c *keyCommand) stopped(cfg *config.Config, note adminlog.Entry, stderr io.Writer, do func() (*config.KeyChange, error)) (*config.KeyChange, error) {
	change, err := do()
	if err != nil {
		return nil, err
	}
	if _, err := config.BuildSites(change.Next.Sites); err != nil {
		return nil, err
	}
	if err := change.Write(); err != nil {
		return nil, err
	}
	note.Site = c.site
	if note.What == "" {
		note.What = change.Key.ID
	}
	if change.Old.ID != "" {
		note.What = change.Old.ID + " to " + note.What
	}
	noteCommand(cfg.DataDir, slog.New(slog.NewTextHandler(stderr, nil)), note)
	return change, nil
}

// answeredKey is what the server answers when it has made a key.
type answeredKey struct {
	Key    shownKey  `json:"key"`
	Secret string    `json:"secret"`
	Old    *shownKey `json:"old"`
}

func answered(change *config.KeyChange, now time.Time) (a answeredKey) {
	a.Key, a.Secret = shown(&change.Key, now), change.Secret
	if change.Old.ID != "" {
		old := shown(&change.Old, now)
		a.Old = &old
	}
	return a
}

// print prints the key alone to stdout, so that a script can take it.
func (a *answeredKey) print(stdout, stderr io.Writer) {
	fmt.Fprintln(stdout, a.Secret)
	if a.Key.File == config.KeysName {
		fmt.Fprintf(stderr, "This is the new %s, in %s.\n", a.Key.Kind, a.Key.File)
	} else {
		fmt.Fprintf(stderr, "This is the new %s with the id %s. It is not shown again.\n", a.Key.Kind, a.Key.ID)
	}
	switch {
	case a.Old == nil:
	case a.Old.Ended || a.Old.Ends == nil:
		fmt.Fprintln(stderr, "The old one has ended.")
	default:
		fmt.Fprintf(stderr, "The old one, %s, ends at %s.\n", a.Old.ID, a.Old.Ends.Format(time.RFC3339))
	}
}

func (c *keyCommand) add(_ string, stdout, stderr io.Writer) error {
	now := time.Now()
	ends, err := endsAt(c.ends, now)
	if err != nil {
		return err
	}
	cfg, s, end, err := c.reach()
	if err != nil {
		return err
	}
	defer end()
	var a answeredKey
	if s != nil {
		send := struct {
			Name string     `json:"name"`
			Kind string     `json:"kind"`
			Ends *time.Time `json:"ends,omitempty"`
		}{c.name, c.kind, nil}
		if !ends.IsZero() {
			send.Ends = &ends
		}
		if err := s.send(http.MethodPost, c.path(), send, &a); err != nil {
			return err
		}
	} else {
		change, err := c.stopped(cfg, adminlog.Entry{Action: adminlog.KeyAdd}, stderr, func() (*config.KeyChange, error) {
			return cfg.AddKey(c.site, config.NewKey{Name: c.name, Kind: c.kind, Ends: ends}, now)
		})
		if err != nil {
			return err
		}
		a = answered(change, now)
	}
	a.print(stdout, stderr)
	return nil
}

func (c *keyCommand) set(id string, stdout, stderr io.Writer) error {
	now := time.Now()
	var set config.KeySettings
	if c.name != "" {
		set.Name = &c.name
	}
	if c.ends == "never" {
		set.Ends = new(time.Time)
	} else if c.ends != "" {
		ends, err := endsAt(c.ends, now)
		if err != nil {
			return err
		}
		set.Ends = &ends
	}
	if set.Name == nil && set.Ends == nil {
		return errors.New("give -name, -ends or both")
	}
	cfg, s, end, err := c.reach()
	if err != nil {
		return err
	}
	defer end()
	var k shownKey
	if s != nil {
		send := map[string]any{}
		if set.Name != nil {
			send["name"] = c.name
		}
		if set.Ends != nil {
			if send["ends"] = nil; !set.Ends.IsZero() {
				send["ends"] = *set.Ends
			}
		}
		err = s.send(http.MethodPatch, c.path(id), send, &k)
	} else {
		var change *config.KeyChange
		change, err = c.stopped(cfg, adminlog.Entry{Action: adminlog.KeySet}, stderr, func() (*config.KeyChange, error) {
			return cfg.SetKey(c.site, id, set, now)
		})
		if err == nil {
			k = shown(&change.Key, now)
		}
	}
	if err != nil {
		return err
	}
	ends := "has no end"
	if k.Ends != nil {
		ends = "ends at " + k.Ends.Format(time.RFC3339)
	}
	fmt.Fprintf(stdout, "The key %s is called %q and %s.\n", k.ID, k.Name, ends)
	return nil
}

// endsAt reads when a key ends: a time, or how long from now.
func endsAt(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var d dialect.Duration
	if d.UnmarshalText([]byte(text)) == nil {
		return now.Add(time.Duration(d)), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("-ends %s: must be a time such as 2027-01-31T12:00:00Z, or how long from now, such as 90d", text)
	}
	return at, nil
}

func (c *keyCommand) list(_ string, stdout, _ io.Writer) error {
	cfg, s, end, err := c.reach()
	if err != nil {
		return err
	}
	defer end()
	var answer struct {
		Keys []shownKey `json:"keys"`
	}
	if s != nil {
		if err := s.ask(http.MethodGet, c.path(), &answer); err != nil {
			return err
		}
	} else {
		list, err := cfg.Keys(c.site)
		if err != nil {
			return err
		}
		for i := range list {
			answer.Keys = append(answer.Keys, shown(&list[i], time.Now()))
		}
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tKIND\tCREATED\tLAST USED\tENDS\tIN")
	for _, k := range answer.Keys {
		created, used, ends := "-", "-", "never"
		if k.Created != nil {
			created = k.Created.Format(time.DateOnly)
		}
		if k.LastUsed != nil {
			used = *k.LastUsed
		}
		if k.Ends != nil {
			ends = k.Ends.Format(time.RFC3339)
		}
		if k.Ended {
			ends += " (ended)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Kind, created, used, ends, k.File)
	}
	return w.Flush()
}

func (c *keyCommand) rotate(id string, stdout, stderr io.Writer) error {
	var grace dialect.Duration
	if err := grace.UnmarshalText([]byte(c.grace)); err != nil {
		return fmt.Errorf("-grace %w", err)
	}
	cfg, s, end, err := c.reach()
	if err != nil {
		return err
	}
	defer end()
	var a answeredKey
	if s != nil {
		err = s.send(http.MethodPost, c.path(id, "rotate"), map[string]string{"grace": c.grace}, &a)
	} else {
		now := time.Now()
		var change *config.KeyChange
		change, err = c.stopped(cfg, adminlog.Entry{Action: adminlog.KeyRotate}, stderr, func() (*config.KeyChange, error) {
			return cfg.RotateKey(c.site, id, time.Duration(grace), now)
		})
		if err == nil {
			a = answered(change, now)
		}
	}
	if err != nil {
		return err
	}
	a.print(stdout, stderr)
	return nil
}

func (c *keyCommand) remove(id string, stdout, stderr io.Writer) error {
	cfg, s, end, err := c.reach()
	if err != nil {
		return err
	}
	defer end()
	if s != nil {
		var answer struct{ Removed string }
		err = s.ask(http.MethodDelete, c.path(id), &answer)
	} else {
		_, err = c.stopped(cfg, adminlog.Entry{Action: adminlog.KeyRemove, What: id}, stderr, func() (*config.KeyChange, error) { return cfg.RemoveKey(c.site, id) })
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The key %s of the site %s is removed.\n", id, c.site)
	return nil
}

// adminToken prints the admin token; with renew it makes another one first.
func adminToken(cfg *config.Config, url string, renew bool, stdout, stderr io.Writer) error {
	s, end, err := reachOrLock(cfg, url)
	if err != nil {
		return err
	}
	defer end()
	token := cfg.AdminToken
	switch {
	case !renew:
	case s != nil:
		var answer struct {
			Token string `json:"admin_token"`
		}
		if err := s.ask(http.MethodPost, "/api/v1/admin/token", &answer); err != nil {
			return err
		}
		token = answer.Token
	default:
		change, err := cfg.RenewAdmin()
		if err == nil {
			err = change.Write()
		}
		if err != nil {
			return err
		}
		token = change.Secret
		noteCommand(cfg.DataDir, slog.New(slog.NewTextHandler(stderr, nil)), adminlog.Entry{Action: adminlog.AdminToken})
	}
	fmt.Fprintln(stdout, token)
	if s != nil {
		fmt.Fprintln(stderr, "\"cairn dashboard\" prints a link that opens the dashboard once.")
	}
	return nil
}
