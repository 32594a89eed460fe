package geo

import (
	_ "embed"
	"fmt"
	"sync"
)

//go:generate go run ./data/renew.go

// The database every binary carries, in the form of ranges.go. See data/NOTICE.md for its licence.
//
//go:embed data/dbip-country.ranges
var countryFile string

// Attribution is the text that pages with countries must show, with its link, when the
// embedded database is in use.
const Attribution = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0"

// embedded returns the country database of the binary. Its bytes are trusted as the code of the
// binary is, so they are not walked.
var embedded = sync.OnceValues(func() (*file, error) {
	r, err := openRanges(countryFile)
	if err != nil {
		return nil, fmt.Errorf("embedded database: %w", err)
	}
	return &file{ranges: r, kind: "country", built: r.built, bytes: len(countryFile), has: Has{Country: true}, embedded: true}, nil
})
