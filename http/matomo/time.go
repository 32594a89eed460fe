package matomo

import (
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file finds when a hit happened: now, or when its sender says.

// How old a hit may be without a token: as its site says, and freeMin in any case. A site may
// say more than freeUsual, but whoever can send hits can then change what was counted long ago.
const (
	freeMin     = 4 * time.Hour
	freeDefault = 24 * time.Hour
	freeUsual   = 30 * 24 * time.Hour
)

// oldest is how old a hit may be at all. An older time, and one ahead, is taken for a
// mistake.
const oldest = 20 * 365 * 24 * time.Hour

// timeLayouts are the forms of a cdt that is not a number, in UTC unless it has a zone.
var timeLayouts = [...]string{
	time.DateTime, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700",
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", time.DateOnly, "2006/01/02 15:04:05", "20060102T150405", "20060102150405",
	time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC, "02/Jan/2006:15:04:05 -0700", "Jan 2, 2006 15:04:05", "2 January 2006 15:04:05",
}

// clientTime reads a cdt.
func clientTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 64 {
		return time.Time{}, false
	}
	if ms, ok := event.UnixTime(strings.TrimPrefix(text, "@")); ok {
		return time.UnixMilli(ms), true
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// when sets the time of the hit. A time before the site's window needs a token.
func (h *hit) when() *event.FieldError {
	now := time.UnixMilli(h.now)
	at := now
	if t, ok := clientTime(h.p.text(pCdt)); ok {
		at = t
	}
	if back := h.p.integer(pCdo, 0); back > 0 && back < int64(oldest/time.Second) {
		at = at.Add(-time.Duration(back) * time.Second)
	}
	if at.After(now) || now.Sub(at) > oldest {
		at = now
	}
	free := freeDefault
	if w := time.Duration(h.settings.CDTWindow); w > 0 {
		free = max(w, freeMin)
	}
	if now.Sub(at) >= free && !h.trusted {
		return dialect.Refuse("cdt", "so old a hit needs a valid token_auth")
	}
	if h.time = at.UnixMilli(); h.time == h.now {
		h.time = 0
	}
	return nil
}
