// Package geotest makes small MaxMind databases for tests.
package geotest

import (
	"bytes"
	"net"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Database is the file of a MaxMind database of a kind, such as GeoLite2-City, with the
// given records by network, such as 1.1.1.0/24.
func Database(tb testing.TB, kind string, records map[string]mmdbtype.Map) []byte {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, BuildEpoch: 1790000000, RecordSize: 24,
		Description: map[string]string{"en": "test"}, IncludeReservedNetworks: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			tb.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			tb.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
