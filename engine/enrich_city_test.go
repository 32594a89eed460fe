package engine

import (
	"bytes"
	"net"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// cityFile is a database that knows one network well.
func cityFile(t *testing.T) []byte {
	t.Helper()
	type (
		m = mmdbtype.Map
		s = mmdbtype.String
	)
	return database(t, "City", "1.1.1.0/24", m{
		"country": m{"iso_code": s("DE")}, "city": m{"names": m{"en": s("Munich")}}, "subdivisions": mmdbtype.Slice{m{"names": m{"en": s("Bavaria")}}},
		"location":                 m{"latitude": mmdbtype.Float64(48.13743), "longitude": mmdbtype.Float64(11.57549), "time_zone": s("Europe/Berlin")},
		"autonomous_system_number": mmdbtype.Uint32(8767),
	})
}

// database is one of a single network.
func database(t *testing.T, kind, network string, record mmdbtype.Map) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, Description: map[string]string{"en": "test"}, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, cidr, err := net.ParseCIDR(network)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(cidr, record); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
