//go:build ignore

// Renew writes sites.txt and its notice from Matomo's list of search engines, social
// networks and AI assistants:
//
//	go generate ./engine/referrer
//
// It needs git and GitHub. To use a copy of the list that is already on this machine, name
// its repository: "cd engine/referrer && go run ./data/renew.go DIR". Read the changes of
// sites.txt, run "go test ./engine/referrer" and commit all files.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const source = "https://github.com/matomo-org/searchengine-and-social-list"

func main() {
	log.SetFlags(0)
	if err := renew(); err != nil {
		log.Fatal("renew: ", err)
	}
}

func renew() error {
	from := source
	if len(os.Args) > 1 {
		from = os.Args[1]
	}
	dir, err := os.MkdirTemp("", "referrer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := run("git", "clone", "--quiet", "--depth=1", from, dir); err != nil {
		return err
	}
	about, err := run("git", "-C", dir, "log", "-1", "--format=%H %cs")
	if err != nil {
		return err
	}
	commit, date, _ := strings.Cut(strings.TrimSpace(about), " ")
	licence, err := os.ReadFile(filepath.Join(dir, "LICENSE"))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(licence, []byte("CC0 1.0 Universal")) {
		return fmt.Errorf("the licence of the list has changed: %.60q", licence)
	}
	if !bytes.Contains(licence, []byte("Creative Commons")) && !bytes.Contains(licence, []byte("Statement of Purpose")) {
		return fmt.Errorf("the licence of the list is not whole")
	}
	taken := map[string]bool{} // by an earlier kind
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Sites that refer visitors, by kind, name and hosts. * is a country: de, co.uk.\n"+
		"# Written by renew.go; see NOTICE.md.\n# source: %s\n# commit: %s\n# date: %s\n# licence: CC0-1.0\n", source, commit, date)
	sites := 0
	// The same site may be of several kinds. The first wins.
	for _, list := range []struct{ kind, file string }{{"ai", "AIAssistants.yml"}, {"social", "Socials.yml"}, {"search", "SearchEngines.yml"}} {
		text, err := os.ReadFile(filepath.Join(dir, list.file))
		if err != nil {
			return err
		}
		hosts, err := read(text)
		if err != nil {
			return fmt.Errorf("%s: %w", list.file, err)
		}
		for _, name := range slices.SortedFunc(maps.Keys(hosts), func(a, b string) int {
			return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
		}) {
			var kept []string
			for _, host := range hosts[name] {
				host = strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(host), "www."), "{}", "*")
				// Paths are not looked at.
				if strings.ContainsAny(host, "/ \t") || taken[host] || list.kind == "search" && noSearch(host) || host == "login.live.com" {
					continue
				}
				taken[host] = true
				kept = append(kept, host)
			}
			if len(kept) > 0 {
				sites++
				fmt.Fprintf(&out, "%s\t%s\t%s\n", list.kind, cmp.Or(names[name], name), strings.Join(kept, " "))
			}
		}
	}
	if sites < 300 {
		return fmt.Errorf("only %d sites are in the list", sites)
	}
	if err := os.WriteFile("data/sites.txt", out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile("data/NOTICE.md", []byte(fmt.Sprintf(notice, source, commit, date, sites)), 0o644)
}

// names are the names under which cairn shows some sites.
var names = map[string]string{
	"Deepseek": "DeepSeek", "Google%2B": "Google+", "reddit": "Reddit", "StartPage": "Startpage", "tumblr": "Tumblr", "Twitter": "X", "Vkontakte": "VK",
}

// noSearch reports whether a host of a search engine is not its search: whoever comes from
// there has signed in, read or written something.
func noSearch(host string) bool {
	label, _, _ := strings.Cut(host, ".")
	return slices.Contains([]string{"account", "accounts", "classroom", "docs", "drive", "login", "mail", "news", "sites", "translate"}, label)
}

// read reads the YAML of the list, of which it has little: names, and below them hosts, either
// at once or under "urls".
func read(text []byte) (map[string][]string, error) {
	hosts := map[string][]string{}
	name, inURLs, search := "", false, bytes.Contains(text, []byte("\n    urls:"))
	for lines, n := bufio.NewScanner(bytes.NewReader(text)), 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " ")
		plain := strings.TrimLeft(line, " ")
		indent := len(line) - len(plain)
		item, isItem := strings.CutPrefix(plain, "- ")
		switch {
		case plain == "" || plain[0] == '#' || plain == "---" || plain == "-":
		case indent == 0 && strings.HasSuffix(plain, ":"):
			name, inURLs = unquote(strings.TrimSuffix(plain, ":")), !search
		case name == "" || indent == 0:
			return nil, fmt.Errorf("line %d is not understood: %q", n, line)
		case !isItem:
			inURLs = plain == "urls:"
		case inURLs:
			hosts[name] = append(hosts[name], unquote(item))
		}
	}
	return hosts, nil
}

func unquote(text string) string {
	if n := len(text); n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n-1] == text[0] {
		return text[1 : n-1]
	}
	return text
}

func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return string(out), err
}

const notice = `# Search engines, social networks and AI assistants

The list is Matomo's "searchengine-and-social-list", by its contributors, who have put it into
the public domain: CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/.

| | |
|---|---|
| from | %s |
| commit | %s |
| of | %s |
| sites | %d |

sites.txt has the hosts of the list and nothing else of it. Entries with a path are left out, and
so are hosts of search engines that are no search, such as news.google.com. A few names are
written as cairn writes them.

` + "`go generate ./engine/referrer`" + ` renews both files.
`
