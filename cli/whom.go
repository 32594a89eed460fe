package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cairn/cli/config"
	"cairn/http/auth"
)

// This file says which server a command asks, and with which key: for commands that need no more
// than a key that reads.

// answerMax is the longest answer in JSON. The server makes none of half of that.
const answerMax = 64 << 20

// whom has the flags of such a command.
type whom struct {
	config.Flags
	url, key string
	to       string // the server as errors name it
}

func (w *whom) register(f *flags) {
	w.Register(f.FlagSet)
	f.StringVar(&w.url, "url", "", "ask the server at `URL` (default: CAIRN_URL, or that of the data directory)")
	f.StringVar(&w.key, "key", "", "ask with the key `KEY`, or with that in the file of @FILE (default: CAIRN_KEY, or the admin token of the data directory)")
}

// read completes the flags from the environment, and checks them.
func (w *whom) read() error {
	own := w.File != "" || w.DataDir != "" || w.Listen != "" // who names a server does not mean another one
	if w.url == "" && !own {
		w.url = os.Getenv("CAIRN_URL")
	}
	if w.key == "" && !own {
		w.key = os.Getenv("CAIRN_KEY")
	}
	if file, is := strings.CutPrefix(w.key, "@"); is {
		var err error
		if w.key, err = readKey(file); err != nil {
			return fmt.Errorf("-key: %w", err)
		}
	}
	if w.url != "" {
		u, err := url.Parse(w.url)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("-url: %q is no address of a server, such as https://stats.example.org", w.url)
		}
	}
	return nil
}

// readKey reads a key from a file, whose path keeps it out of the list of processes.
func readKey(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4<<10))
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("%s has to have one key and nothing else", name)
	}
	return key, nil
}

// reach finds the server. cfg is the configuration of this machine, nil where nothing of it is
// needed. It does not say whether the server runs.
func (w *whom) reach() (s *server, cfg *config.Config, err error) {
	if w.url != "" && w.key != "" {
		s = &server{client: &http.Client{Timeout: askMax}, base: strings.TrimSuffix(w.url, "/"), header: http.Header{}}
	} else {
		loaded, _, err := config.Load(w.Flags, os.Environ())
		if err == nil && w.key == "" {
			err = readAdminToken(&loaded)
		}
		if err == nil {
			s, err = reach(&loaded, w.url)
		}
		switch {
		case err != nil && w.url != "":
			return nil, nil, fmt.Errorf("%w. Give the key of %s as -key or CAIRN_KEY", err, w.url)
		case err != nil:
			return nil, nil, fmt.Errorf("%w. To ask another server, give -url and -key, or CAIRN_URL and CAIRN_KEY", err)
		}
		cfg = &loaded
	}
	if w.key != "" {
		s.header.Set("Authorization", "Bearer "+w.key)
	}
	w.to = s.base
	if cfg != nil && w.url == "" {
		w.to = baseURL(cfg, cfg.Listen[:min(1, len(cfg.Listen))]) + " (data directory " + cfg.DataDir + ")"
	}
	return s, cfg, nil
}

// unreached is the error of a server that does not answer: its address, and what to try.
func (w *whom) unreached(err error) error {
	try := "Is it running? \"cairn serve\" starts it"
	if w.url != "" {
		try = "Is that its address, and does it run?"
	}
	return unreached(w.to, err, try)
}

// unreached is the error of a server that does not answer; try says what may help.
func unreached(where string, err error, try string) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return fmt.Errorf("cannot reach the server at %s: %w. %s", where, err, try)
}

// refusedBody is the body of an answer that is not 200.
type refusedBody struct{ Error, Field string }

// ofSite reports whether the site is what is wrong: none is named, or one that there is not.
func (r *refusedBody) ofSite() bool {
	return r.Field == "site" || r.Error == auth.ErrNoSuchSite.Error()
}

// allSitesPath is the call that lists all sites.
const allSitesPath = "/api/v1/sites"

// siteNames are the names in its answer; nil when it is none.
func siteNames(answer []byte) (names []string) {
	var page struct{ Sites []struct{ Name string } }
	if json.Unmarshal(answer, &page) != nil {
		return nil
	}
	for _, s := range page.Sites {
		names = append(names, s.Name)
	}
	return names
}
