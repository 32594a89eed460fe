package native

import (
	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes the events of POST /api/v1/events?import=1: those of the past, from another
// cairn or another product. event.Parser.Import says what they have besides the fields of a
// native event.

// importsKept is for how many events memory is kept for the next request.
const importsKept = 4096

// importsChunk is for how many events memory is taken at once. Records point into it.
const importsChunk = 256

var errImport = &dialect.StatusError{Failure: dialect.Forbidden, Field: "import",
	Msg: "import=1 needs a key that is private and may both read and write: a secret_key or the admin_token"}

// imported parses one imported event. Without a source nothing is detected; of an event that
// a cairn has exported, nothing is derived from its urls either, because that has been done.
func (d *decoder) imported(raw []byte, r *dialect.Record) error {
	if len(d.imports) == cap(d.imports) {
		d.imports = make([]event.Import, 0, max(importsChunk, min(2*cap(d.imports), importsKept)))
	}
	d.imports = d.imports[:len(d.imports)+1]
	im := &d.imports[len(d.imports)-1]
	if err := d.parser.Import(raw, d.now, &r.Record, im); err != nil {
		return err
	}
	if !im.Source {
		r.Source = event.Source{Skip: true, Known: r.Event.Imported}
		return nil
	}
	if im.IP != "" {
		addr, ok := address.First(im.IP)
		if !ok {
			return dialect.Refuse("source.ip", "is not an address")
		}
		r.Source.IP = addr
	}
	if r.Event.Dialect == event.Matomo { // as its own route does, see dialect.Bots
		r.Bots = dialect.BotsExcluded
	}
	return nil
}
