// Heartbeats: a browser says that its visitor is still there, and which variables of the
// visit have changed. A heartbeat is no event. All that is kept of a visit's heartbeats is
// the time of the latest one and the newest variables. The batch of the group writes them.

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Heartbeats is what the heartbeats of one visit have said.
type Heartbeats struct {
	At   int64 // time of the latest heartbeat, Unix milliseconds; 0 = none was later than the events
	Vars visitVars
}

// heartbeatVarBytesMax bounds the variables that are kept of a visit's heartbeats. Five
// custom variables of 200 and 200 letters fit, or nine dimensions of 250. A variable that
// does not fit is skipped. The variables are in memory as long as the visit's entry.
const heartbeatVarBytesMax = 2560

var errHeartbeats = errors.New("damaged record of heartbeats")

// HeartbeatsKey returns the key of a visit's heartbeats in Pebble. visit is its ordinal.
func HeartbeatsKey(site uint32, visit uint64) []byte {
	return binary.BigEndian.AppendUint64(store.SiteKey(store.PrefixHeartbeats, site), visit)
}

// append appends the stored form:
//
//	at 8, big-endian | each variable: seq uvarint | 1: 0 = cleared, 1 = a text |
//	name, value: length uvarint, bytes
func (p *Heartbeats) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.At))
	for _, v := range p.Vars {
		text := byte(0)
		if v.value.Kind == event.String {
			text = 1
		}
		dst = append(binary.AppendUvarint(dst, v.seq), text)
		dst = appendText(appendText(dst, v.name), v.value.Text)
	}
	return dst
}

// DecodeHeartbeats reads the stored form. The texts of the result are copies.
func DecodeHeartbeats(b []byte) (*Heartbeats, error) {
	if len(b) < 8 {
		return nil, errHeartbeats
	}
	p := &Heartbeats{At: int64(binary.BigEndian.Uint64(b))}
	for d := (decoder{b: b, at: 8}); d.more(); {
		v := visitVar{seq: d.uvarint()}
		switch d.byte() {
		case 0:
			v.value.Kind = event.Null
		case 1:
			v.value.Kind = event.String
		default:
			return nil, errHeartbeats
		}
		v.name, v.value.Text = d.text(), d.text()
		if d.bad || !p.Vars.Set(v, heartbeatVarBytesMax) {
			return nil, errHeartbeats
		}
	}
	return p, nil
}

// ReadHeartbeats returns what a visit's heartbeats have said. visit is its ordinal. The
// result is never nil without an error.
func ReadHeartbeats(db pebble.Reader, site uint32, visit uint64) (*Heartbeats, error) {
	v, closer, err := db.Get(HeartbeatsKey(site, visit))
	if errors.Is(err, pebble.ErrNotFound) {
		return new(Heartbeats), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	defer closer.Close()
	p, err := DecodeHeartbeats(v)
	if err != nil {
		return nil, store.DamagedFile(fmt.Sprintf("heartbeats of site %d", site), fmt.Errorf("visit %d: %w", visit, err))
	}
	return p, nil
}

// ScanHeartbeats calls fn with the time of the latest heartbeat of each visit of a site whose
// ordinal is in [first, last], in order of the ordinals. It ends with the error of fn.
func ScanHeartbeats(db pebble.Reader, site uint32, first, last uint64, fn func(visit uint64, at int64) error) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: HeartbeatsKey(site, first), UpperBound: append(HeartbeatsKey(site, last), 0)})
	if err != nil {
		return fmt.Errorf("read heartbeats: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		key, value := it.Key(), it.Value()
		visit := binary.BigEndian.Uint64(key[len(key)-8:])
		if len(value) < 8 {
			err = store.DamagedFile(fmt.Sprintf("heartbeats of site %d", site), fmt.Errorf("visit %d: %w", visit, errHeartbeats))
			break
		}
		err = fn(visit, int64(binary.BigEndian.Uint64(value)))
	}
	if closed := it.Close(); err == nil && closed != nil {
		err = fmt.Errorf("read heartbeats: %w", closed)
	}
	return err
}

// HeartbeatsOf calls fn with the time of the latest heartbeat of each of some visits that has
// one. visits are their ordinals, ascending.
func HeartbeatsOf(db pebble.Reader, site uint32, visits []uint64, fn func(visit uint64, at int64)) error {
	if len(visits) == 0 {
		return nil
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: HeartbeatsKey(site, visits[0]), UpperBound: append(HeartbeatsKey(site, visits[len(visits)-1]), 0)})
	if err != nil {
		return fmt.Errorf("read heartbeats: %w", err)
	}
	for len(visits) > 0 && it.SeekGE(HeartbeatsKey(site, visits[0])) {
		key, value := it.Key(), it.Value()
		visit := binary.BigEndian.Uint64(key[len(key)-8:])
		at, has := slices.BinarySearch(visits, visit)
		if visits = visits[at:]; !has {
			continue
		}
		if len(value) < 8 {
			err = store.DamagedFile(fmt.Sprintf("heartbeats of site %d", site), fmt.Errorf("visit %d: %w", visit, errHeartbeats))
			break
		}
		if ms := int64(binary.BigEndian.Uint64(value)); ms != 0 {
			fn(visit, ms)
		}
		visits = visits[1:]
	}
	if closed := it.Close(); err == nil && closed != nil {
		err = fmt.Errorf("read heartbeats: %w", closed)
	}
	return err
}

// Heartbeat takes in a heartbeat. p is what Assign returned for it, with a session, and
// next is the seq of the next event. Heartbeat returns the stored form that the caller has
// to write under HeartbeatsKey, nil when nothing has changed.
func (t *IDs) Heartbeat(site uint32, e *event.Event, next uint64, p *Assignment) (stored []byte, err error) {
	k, err := t.visit(site, p.Session)
	if err != nil {
		return nil, err
	}
	now, err := t.heartbeats(site, k)
	if err != nil {
		return nil, err
	}
	changed := p.heartbeat > now.At
	now.At = max(now.At, p.heartbeat)
	for v := range VisitVarsOf(e, next) {
		v.name, v.value.Text = strings.Clone(v.name), strings.Clone(v.value.Text)
		changed = now.Vars.Set(v, heartbeatVarBytesMax) || changed
	}
	t.measure(k)
	if !changed {
		return nil, nil
	}
	return now.append(nil), nil
}

// heartbeats returns what the heartbeats of a visit have said. k is the entry of the visit,
// which then has them.
func (t *IDs) heartbeats(site uint32, k *idEntry) (*Heartbeats, error) {
	if k.visit.heartbeats == nil {
		var err error
		if k.visit.heartbeats, err = ReadHeartbeats(t.db, site, k.ord); err != nil {
			return nil, err
		}
	}
	return k.visit.heartbeats, nil
}

// ImportHeartbeat takes in when another store had the last heartbeat of a visit. It returns the
// stored form, as Heartbeat does, and the event time of the earliest event of the visit.
func (t *IDs) ImportHeartbeat(site uint32, visit uint64, at int64) (stored []byte, begun int64, err error) {
	k, err := t.visit(site, visit)
	if k == nil || err != nil {
		return nil, 0, err
	}
	now, err := t.heartbeats(site, k)
	if err != nil || at <= now.At {
		return nil, 0, err
	}
	now.At = at
	t.measure(k)
	return now.append(nil), k.visit.first, nil
}
