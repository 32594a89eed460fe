package geo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// This file has the form of the embedded database. It is smaller than the MMDB file that it is
// made of, and is looked up where it lies in the program file. So only the pages of it that a
// lookup has read are in memory, and the system can take them back.
//
// The form is a header and three tables. Numbers are big-endian:
//
//	8 bytes   when the MMDB file was built, in seconds since 1970
//	1 byte    number of countries
//	2 bytes   each country; in a table, n means country n-1, and 0 no country
//	4+4 bytes of each table: number of groups, number of entries
//	...       table of IPv4 addresses, the keys are 2+2 bytes
//	...       table of the upper halves of IPv6 addresses, 4+4 bytes
//	...       table of whole IPv6 addresses in those halves that are finer, 8+8 bytes
//
// A table has an entry for each key at which another country begins. Entries whose keys have the
// same upper part are a group:
//
//	...       upper part of the key of each group, ascending
//	...       first entry of each group, 4 bytes
//	...       lower part of the key of each entry, ascending within a group
//	...       country of each entry, 1 byte

// finer stands for the country of a half of addresses within which there are several.
const finer = math.MaxUint8

// ranges is a database of this form. It never changes.
type ranges struct {
	built                 time.Time
	places                []Place // by the number in a table
	v4, upperHalf, wholes table
}

// table keeps parts of the data of ranges.
type table struct {
	width           int    // bytes of each part of a key
	uppers, firsts  string // of the groups
	lowers, numbers string // of the entries
}

// openRanges checks the length of data, and reads its header alone.
func openRanges(data string) (r *ranges, err error) {
	size := len(data)
	cut := func(n int) string {
		if n < 0 || n > len(data) {
			err = fmt.Errorf("not a database of ranges: %d bytes are too few", size)
			n = 0
		}
		part := data[:n]
		data = data[n:]
		return part
	}
	number := func(width int) int {
		if part := cut(width); err == nil {
			return int(min(bigEndian(part), math.MaxInt32))
		}
		return 0
	}
	r = &ranges{built: time.Unix(int64(number(4))<<32|int64(number(4)), 0).UTC(), places: make([]Place, 1)}
	for range number(1) {
		r.places = append(r.places, Place{Country: cut(2)})
	}
	var groups, entries [3]int
	for i := range groups {
		groups[i], entries[i] = number(4), number(4)
	}
	for i, t := range []*table{&r.v4, &r.upperHalf, &r.wholes} {
		t.width = 2 << i
		t.uppers, t.firsts = cut(groups[i]*t.width), cut(groups[i]*4)
		t.lowers, t.numbers = cut(entries[i]*t.width), cut(entries[i])
	}
	if err == nil && data != "" {
		err = errors.New("not a database of ranges: there are bytes after its end")
	}
	return r, err
}

// lookup returns the place of addr, which is unmapped, or nil. Damaged data may make it panic.
func (r *ranges) lookup(addr netip.Addr) *Place {
	key := addr.AsSlice()
	if len(key) == 16 && bytes.Count(key[:12], []byte{0}) == 12 {
		key = key[12:] // MMDB files have IPv4 there
	}
	var n byte
	if len(key) == 4 {
		n = r.v4.find(key)
	} else if n = r.upperHalf.find(key[:8]); n == finer {
		n = r.wholes.find(key)
	}
	if n == 0 {
		return nil
	}
	return &r.places[n]
}

// find returns the number of the last entry whose key is not after key, or 0.
func (t *table) find(key []byte) byte {
	upper, lower := bigEndian(key[:t.width]), bigEndian(key[t.width:])
	after := t.search(t.uppers, 0, len(t.firsts)/4, upper) // the group after that of the key
	if after == 0 {
		return 0
	}
	end := len(t.numbers)
	if after < len(t.firsts)/4 {
		end = t.first(after)
	}
	if at(t.uppers, t.width, after-1) == upper {
		end = t.search(t.lowers, t.first(after-1), end, lower)
	}
	if end == 0 {
		return 0
	}
	return t.numbers[end-1]
}

// search returns the first of the ascending parts from, from+1, ... end-1 that is more than n, or
// end.
func (t *table) search(parts string, from, end int, n uint64) int {
	return from + sort.Search(end-from, func(i int) bool { return at(parts, t.width, from+i) > n })
}

func (t *table) first(group int) int { return int(at(t.firsts, 4, group)) }

// at returns part i of parts of the same width.
func at(parts string, width, i int) uint64 { return bigEndian(parts[i*width : (i+1)*width]) }

// bigEndian returns the number in at most 8 bytes.
func bigEndian[T string | []byte](b T) (n uint64) {
	for i := range len(b) {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// Pack returns the form of the embedded database of an MMDB file that knows countries. It fails
// if the two do not agree on the countries of all networks of that file.
func Pack(mmdb []byte) ([]byte, error) {
	db, err := parse(mmdb)
	if err != nil {
		return nil, err
	}
	p := packer{numbers: map[string]byte{"": 0}}
	v4, upperHalf, wholes := builder{width: 2}, builder{width: 4}, builder{width: 8}
	for result := range everywhere(db) {
		number, err := p.number(db, result.Prefix())
		if err != nil {
			return nil, err
		}
		first := result.Prefix().Masked().Addr()
		if first.Is4In6() {
			continue // is looked up as IPv4
		}
		if first.Is4() {
			v4.add(first.AsSlice(), number)
		} else if key := first.As16(); result.Prefix().Bits() <= 64 {
			upperHalf.add(key[:8], number)
		} else {
			upperHalf.add(key[:8], finer)
			wholes.add(key[:], number)
		}
	}
	data := binary.BigEndian.AppendUint64(nil, uint64(db.built.Unix()))
	data = append(append(data, byte(len(p.countries)/2)), p.countries...)
	tables := []builder{v4, upperHalf, wholes}
	for _, b := range tables {
		data = binary.BigEndian.AppendUint32(data, uint32(len(b.firsts)/4))
		data = binary.BigEndian.AppendUint32(data, uint32(len(b.numbers)))
	}
	for _, b := range tables {
		data = slices.Concat(data, b.uppers, b.firsts, b.lowers, b.numbers)
	}
	return data, agree(data, db)
}

// everywhere is all networks, also those without a place, and those that stand for others.
func everywhere(db *file) iter.Seq[maxminddb.Result] {
	return db.reader.Networks(maxminddb.IncludeNetworksWithoutData(), maxminddb.IncludeAliasedNetworks())
}

// packer numbers the countries.
type packer struct {
	numbers   map[string]byte
	countries []byte
}

func (p *packer) number(db *file, network netip.Prefix) (byte, error) {
	place, err := db.lookup(network.Addr().Unmap())
	if err != nil || place == nil {
		return 0, err
	}
	n, ok := p.numbers[place.Country]
	if !ok {
		if len(p.numbers) == finer {
			return 0, errors.New("too many countries")
		}
		n = byte(len(p.numbers))
		p.numbers[place.Country] = n
		p.countries = append(p.countries, place.Country...)
	}
	return n, nil
}

// builder makes a table.
type builder struct {
	width                           int
	uppers, firsts, lowers, numbers []byte
}

// add adds the country of the keys from key to the next that is added.
func (b *builder) add(key []byte, number byte) {
	n := len(b.numbers)
	if n > 0 && b.numbers[n-1] == number {
		return
	}
	if upper := key[:b.width]; n == 0 || !bytes.Equal(upper, b.uppers[len(b.uppers)-b.width:]) {
		b.uppers = append(b.uppers, upper...)
		b.firsts = binary.BigEndian.AppendUint32(b.firsts, uint32(n))
	}
	b.lowers, b.numbers = append(b.lowers, key[b.width:]...), append(b.numbers, number)
}

// agree compares what the packed data and db say of the first and the last address of each
// network.
func agree(data []byte, db *file) error {
	r, err := openRanges(string(data))
	if err != nil {
		return err
	}
	for result := range everywhere(db) {
		for _, addr := range []netip.Addr{result.Prefix().Masked().Addr(), last(result.Prefix())} {
			var want, got Place
			if place, err := db.lookup(addr.Unmap()); err != nil {
				return err
			} else if place != nil {
				want.Country = place.Country
			}
			if place := r.lookup(addr.Unmap()); place != nil {
				got = *place
			}
			if got != want {
				return fmt.Errorf("%s is in %q, and packed in %q", addr, want.Country, got.Country)
			}
		}
	}
	return nil
}

// last returns the last address of a network.
func last(network netip.Prefix) netip.Addr {
	b := network.Addr().AsSlice()
	for bit := network.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
