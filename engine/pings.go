// Pings: a browser says that its visitor is still there. They are no events; all
// that is kept of one is until when the visit goes on, in the batch of its group.

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

func pingKey(site uint32, visit uint64) []byte {
	return binary.BigEndian.AppendUint64(siteKey(prefixPing, site), visit)
}

// lastPing is when a visit was last said to go on, Unix milliseconds; 0 = never.
func lastPing(db pebble.Reader, site uint32, visit uint64) (int64, error) {
	v, closer, err := db.Get(pingKey(site, visit))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read ping: %w", err)
	}
	defer closer.Close()
	if len(v) != 8 {
		return 0, errors.New("damaged record of a ping")
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}

// settleHit answers a hit that is not stored as an event.
func (s *sequencer) settleHit(g *group, ev *submitted, p *place) error {
	if ev.outcome.Status = Ignored; p.refuse != nil {
		ev.outcome.Status, ev.outcome.Err = Rejected, p.refuse
		s.e.stats.reject(p.refuse.Field)
		return nil
	}
	ev.outcome.Session = p.sessionID
	if p.ping == 0 {
		return nil
	}
	k, err := s.ids.visit(ev.site.id, p.session)
	if err != nil {
		return err
	}
	if k.visit.ping == 0 {
		if k.visit.ping, err = lastPing(s.e.db, ev.site.id, p.session); err != nil {
			return err
		}
	}
	if p.ping <= k.visit.ping {
		return nil
	}
	k.visit.ping = p.ping
	if err := g.batch.Set(pingKey(ev.site.id, p.session), binary.BigEndian.AppendUint64(nil, uint64(p.ping)), nil); err != nil {
		return fmt.Errorf("write ping: %w", err)
	}
	return nil
}
