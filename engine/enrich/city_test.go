package enrich

import (
	"testing"

	"cairn/geo/geotest"

	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// cityFile returns a database with one network. It has all fields for that network.
func cityFile(t *testing.T) []byte {
	t.Helper()
	type (
		m = mmdbtype.Map
		s = mmdbtype.String
	)
	return geotest.Database(t, "City", "1.1.1.0/24", m{
		"country": m{"iso_code": s("DE")}, "city": m{"names": m{"en": s("Munich")}}, "subdivisions": mmdbtype.Slice{m{"names": m{"en": s("Bavaria")}}},
		"location":                 m{"latitude": mmdbtype.Float64(48.13743), "longitude": mmdbtype.Float64(11.57549), "time_zone": s("Europe/Berlin")},
		"autonomous_system_number": mmdbtype.Uint32(8767),
	})
}
