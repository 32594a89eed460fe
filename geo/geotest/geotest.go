// Package geotest makes small MaxMind databases for tests, also on 32-bit machines.
package geotest

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Database returns the file of a MaxMind database of a kind, such as GeoLite2-City. It
// has the given records by network, such as 1.1.1.0/24.
func Database(t testing.TB, kind, network string, record mmdbtype.Map) []byte {
	t.Helper()
	const (
		zeros     = 96
		separator = 16 // bytes between the nodes and the data
	)
	prefix := netip.MustParsePrefix(network)
	ip, nodes := prefix.Addr().As4(), zeros+prefix.Bits()
	var w mmdbWriter
	for node := range nodes {
		next, bit := node+1, 0
		if next == nodes {
			next += separator // the first byte of the data
		}
		if at := node - zeros; at >= 0 {
			bit = int(ip[at/8]) >> (7 - at%8) & 1
		}
		records := [2]int{nodes, nodes} // nothing
		records[bit] = next
		for _, r := range records {
			w.Write([]byte{byte(r >> 16), byte(r >> 8), byte(r)})
		}
	}
	w.Write(make([]byte, separator))
	metadata := mmdbtype.Map{
		"binary_format_major_version": mmdbtype.Uint16(2),
		"binary_format_minor_version": mmdbtype.Uint16(0),
		"build_epoch":                 mmdbtype.Uint64(1790000000),
		"database_type":               mmdbtype.String(kind),
		"description":                 mmdbtype.Map{"en": mmdbtype.String("test")},
		"ip_version":                  mmdbtype.Uint16(6),
		"languages":                   mmdbtype.Slice{},
		"node_count":                  mmdbtype.Uint32(nodes),
		"record_size":                 mmdbtype.Uint16(24),
	}
	_, rerr := record.WriteTo(&w)
	w.WriteString("\xab\xcd\xefMaxMind.com")
	_, merr := metadata.WriteTo(&w)
	if err := errors.Join(rerr, merr); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// mmdbWriter writes values one after another, each in full.
type mmdbWriter struct{ bytes.Buffer }

func (w *mmdbWriter) WriteOrWritePointer(v mmdbtype.DataType) (int64, error) { return v.WriteTo(w) }
