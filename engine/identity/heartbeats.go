// Pings: a browser says that its visitor is still there, and what has changed of the
// visit as a whole. They are no events; all that is kept of them is until when the
// visit goes on and its newest variables, in the batch of their group.

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Heartbeats is what the pings of a visit have said.
type Heartbeats struct {
	At   int64 // the latest, Unix milliseconds; 0 = none that was later than the events
	Vars visitVars
}

// pingVarBytesMax bounds the variables kept of pings, five custom ones of 200 and 200
// letters or nine dimensions of 250 at the most: one that has no room is passed
// over. They lie in memory as long as their visit does.
const pingVarBytesMax = 2560

var errPing = errors.New("damaged record of a ping")

// HeartbeatsKey is the key of what the heart beats of a visit have said.
func HeartbeatsKey(site uint32, visit uint64) []byte {
	return binary.BigEndian.AppendUint64(store.SiteKey(store.PrefixHeartbeats, site), visit)
}

// append is the stored form:
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
		for _, s := range [...]string{v.name, v.value.Text} {
			dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
		}
	}
	return dst
}

// DecodeHeartbeats reads the stored form. The texts are copies.
func DecodeHeartbeats(b []byte) (*Heartbeats, error) {
	if len(b) < 8 {
		return nil, errPing
	}
	p := &Heartbeats{At: int64(binary.BigEndian.Uint64(b))}
	for b = b[8:]; len(b) > 0; {
		var v visitVar
		n := 0
		if v.seq, n = binary.Uvarint(b); n <= 0 || n >= len(b) {
			return nil, errPing
		}
		switch b[n] {
		case 0:
			v.value.Kind = event.Null
		case 1:
			v.value.Kind = event.String
		default:
			return nil, errPing
		}
		b = b[n+1:]
		for _, s := range [...]*string{&v.name, &v.value.Text} {
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return nil, errPing
			}
			*s, b = string(b[n:n+int(size)]), b[n+int(size):]
		}
		if !p.Vars.Set(v, pingVarBytesMax) {
			return nil, errPing
		}
	}
	return p, nil
}

// ReadHeartbeats is what a visit's pings have said; never nil without an error.
func ReadHeartbeats(db pebble.Reader, site uint32, visit uint64) (*Heartbeats, error) {
	v, closer, err := db.Get(HeartbeatsKey(site, visit))
	if errors.Is(err, pebble.ErrNotFound) {
		return new(Heartbeats), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ping: %w", err)
	}
	defer closer.Close()
	return DecodeHeartbeats(v)
}

// Heartbeat takes in what a heart beat says of the visit that p gave it; next is the seq of
// the next event. said is the visit's record to be written, nil when nothing has changed.
func (t *IDs) Heartbeat(site uint32, e *event.Event, next uint64, p *Assignment) (said []byte, err error) {
	k, err := t.visit(site, p.Session)
	if err != nil {
		return nil, err
	}
	if k.visit.pinged == nil {
		if k.visit.pinged, err = ReadHeartbeats(t.db, site, p.Session); err != nil {
			return nil, err
		}
	}
	now := k.visit.pinged
	changed := p.ping > now.At
	now.At = max(now.At, p.ping)
	for v := range VisitVarsOf(e, next) {
		v.name, v.value.Text = strings.Clone(v.name), strings.Clone(v.value.Text)
		changed = now.Vars.Set(v, pingVarBytesMax) || changed
	}
	t.measure(k)
	if !changed {
		return nil, nil
	}
	return now.append(nil), nil
}
