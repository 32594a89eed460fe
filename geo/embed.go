package geo

import (
	_ "embed"
	"fmt"
	"sync"
)

//go:generate go run ./data/renew.go

// The database every binary carries. See data/NOTICE.md for its licence.
//
//go:embed data/dbip-country.mmdb.zst
var countryFile []byte

// Attribution is the text that pages with countries must show, with its link, when the
// embedded database is in use.
const Attribution = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0"

// embedded returns the country database of the binary, decompressed on first use. The
// checksum of zstd guarantees the bytes, so it is not walked.
var embedded = sync.OnceValues(func() (*file, error) {
	data, err := inflate(countryFile)
	if err != nil {
		return nil, fmt.Errorf("embedded database: %w", err)
	}
	db, err := open(data)
	if err != nil {
		return nil, fmt.Errorf("embedded database: %w", err)
	}
	db.has, db.embedded = Has{Country: true}, true
	return db, nil
})
