package backup

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"cairn/wal"
)

// This file is about the bytes of one object of the log.

// An object of the log is
//
//	"cairnlog" | version 1 | one zstd frame | xxhash64 of all before it, 8 bytes LE
//
// The frame has items, one after the other:
//
//	kind 1 | length uvarint | as many bytes
//
//	itemHead       JSON, see logHead. It is the first item.
//	itemFile       a file of the data directory: text name | text content
//	itemRecords    all records of a scope, which is the beginning of their keys: text scope |
//	               each: text rest of the key, text value
//	itemGroup      what one group of events has written: site uvarint | seq of its first event
//	               uvarint | count uvarint, text record … | text note | each link: seq less the
//	               first uvarint, text value
//	itemHeartbeat  text key | text value
//	itemDeletion   a deletion: each text key, text value, as erase.Record.Pieces gives them
//	itemEnd        how many items were before it, uvarint | more uvarint, 1 = events that were
//	               acknowledged before the time of the object are in the next one. It is the last
//	               item.
//
// A text is its length, uvarint, and its bytes. An unknown kind is an error: an older cairn must not
// leave out what it does not know.
const (
	logMagic   = "cairnlog"
	logVersion = 1

	itemHead      = 1
	itemFile      = 2
	itemRecords   = 3
	itemGroup     = 4
	itemHeartbeat = 5
	itemDeletion  = 6
	itemEnd       = 7
)

// Bounds of what is read.
const (
	logBytesMax  = 128 << 20 // of an object
	logUnpackMax = 512 << 20 // of its items together
	itemBytesMax = 64 << 20  // of an item; what is larger is not shipped
	groupRowsMax = 1 << 20
	windowMax    = 8 << 20 // of zstd
)

// logHead says which object of which chain it is.
type logHead struct {
	Chain    string `json:"chain"`
	Number   uint64 `json:"number"`
	At       int64  `json:"at"`       // Unix milliseconds by the clock of the store; all acknowledged before is shipped, unless More
	Before   uint64 `json:"before"`   // the number of the object before it; 0 = it is the first of the chain
	Previous string `json:"previous"` // SHA-256 of that object's text, hex digits
	Line     string `json:"line"`     // of stores
	Life     string `json:"life"`     // incarnation
	More     bool   `json:"-"`        // it lies in itemEnd, since it is known at the end alone
}

func (h *logHead) at() time.Time { return time.UnixMilli(h.At).UTC() }

// logWriter writes an object.
type logWriter struct {
	text  bytes.Buffer
	z     *zstd.Encoder
	items uint64
	raw   int64 // bytes of the items so far
	head  [binary.MaxVarintLen64 + 1]byte
	err   error
}

// newLogWriter begins an object.
func newLogWriter(h *logHead) (*logWriter, error) {
	w := new(logWriter)
	w.text.WriteString(logMagic)
	w.text.WriteByte(logVersion)
	var err error
	w.z, err = zstd.NewWriter(&w.text, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	w.item(itemHead, text)
	return w, w.err
}

// item adds an item. It reports whether the item is small enough to be read back; if not, it is not
// added.
func (w *logWriter) item(kind byte, body []byte) bool {
	if len(body) > itemBytesMax {
		return false
	}
	if kind != itemEnd {
		w.items++
	}
	w.head[0] = kind
	head := w.head[:1+binary.PutUvarint(w.head[1:], uint64(len(body)))]
	w.raw += int64(len(head) + len(body))
	for _, b := range [][]byte{head, body} {
		if w.err == nil {
			_, w.err = w.z.Write(b)
		}
	}
	return true
}

// finish returns the text of the object. See logHead.More.
func (w *logWriter) finish(more bool) ([]byte, error) {
	end := append(binary.AppendUvarint(nil, w.items), 0)
	if more {
		end[len(end)-1] = 1
	}
	w.item(itemEnd, end)
	if err := errors.Join(w.err, w.z.Close()); err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint64(w.text.Bytes(), xxhash.Sum64(w.text.Bytes())), nil
}

func appendText(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// errLogDamaged is the error of an object that is cut or changed.
var errLogDamaged = errors.New("it is damaged")

// readLog calls head, if it is not nil, with the head of an object, and then fn with its items but for its
// head and its end. The body is valid until fn returns. The head that it returns has More as well. An
// object that is not whole is an error, but fn may have been called before.
func readLog(text []byte, head func(*logHead) error, fn func(kind byte, body []byte) error) (*logHead, error) {
	end := len(text) - 8
	if end < len(logMagic)+1 || string(text[:len(logMagic)]) != logMagic || xxhash.Sum64(text[:end]) != binary.LittleEndian.Uint64(text[end:]) {
		return nil, errLogDamaged
	}
	if v := text[len(logMagic)]; v != logVersion {
		return nil, fmt.Errorf("it has version %d, this cairn knows version %d: use a newer cairn", v, logVersion)
	}
	z, err := zstd.NewReader(bytes.NewReader(text[len(logMagic)+1:end]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax), zstd.WithDecoderMaxMemory(logUnpackMax), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, errLogDamaged
	}
	defer z.Close()
	in := &itemReader{from: z, left: logUnpackMax}
	kind, body, err := in.next()
	if err != nil || kind != itemHead {
		return nil, errLogDamaged
	}
	h := new(logHead)
	if err := json.Unmarshal(body, h); err != nil {
		return nil, errLogDamaged
	}
	if head != nil {
		if err := head(h); err != nil {
			return h, err
		}
	}
	for items := uint64(1); ; items++ {
		if kind, body, err = in.next(); err != nil {
			return h, errLogDamaged
		}
		if kind == itemEnd {
			c := cursor{b: body}
			n, more := c.uvarint(), c.uvarint()
			if c.bad || c.more() || n != items || more > 1 {
				return h, errLogDamaged
			}
			h.More = more == 1
			if _, err := io.ReadFull(z, in.one[:]); err != io.EOF {
				return h, errLogDamaged
			}
			return h, nil
		}
		if kind < itemFile || kind > itemDeletion {
			return h, fmt.Errorf("it has an item of kind %d, which this cairn does not know: use a newer cairn", kind)
		}
		if err := fn(kind, body); err != nil {
			return h, err
		}
	}
}

// itemReader reads items.
type itemReader struct {
	from io.Reader
	left int64
	body bytes.Buffer
	one  [1]byte
}

// ReadByte implements io.ByteReader, for the lengths.
func (r *itemReader) ReadByte() (byte, error) {
	_, err := io.ReadFull(r.from, r.one[:])
	r.left--
	return r.one[0], err
}

func (r *itemReader) next() (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if n > itemBytesMax || int64(n) > r.left {
		return 0, nil, errLogDamaged
	}
	r.left -= int64(n)
	r.body.Reset()
	if _, err := io.CopyN(&r.body, r.from, int64(n)); err != nil { // grows as there are bytes
		return 0, nil, err
	}
	return kind, r.body.Bytes(), nil
}

// cursor reads the fields of an item.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	v, w := binary.Uvarint(c.b)
	if w <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[w:]
	return v
}

func (c *cursor) text() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	t := c.b[:n:n]
	c.b = c.b[n:]
	return t
}

func (c *cursor) more() bool { return len(c.b) > 0 }

// logGroup is what one group of events has written.
type logGroup struct {
	Site    uint32
	First   uint64
	Records [][]byte
	Note    []byte
	Links   []logLink
}

// logLink is a record of links.
type logLink struct {
	Seq   uint64
	Value []byte
}

func (g *logGroup) last() uint64 { return g.First + uint64(len(g.Records)) - 1 }

// parseGroup reads an itemGroup into g, whose slices point into body afterwards.
func parseGroup(body []byte, g *logGroup) error {
	c := cursor{b: body}
	site, first, n := c.uvarint(), c.uvarint(), c.uvarint()
	if c.bad || site >= 1<<32 || first == 0 || first >= 1<<62 || n == 0 || n > groupRowsMax {
		return errLogDamaged
	}
	g.Site, g.First, g.Records, g.Links = uint32(site), first, g.Records[:0], g.Links[:0]
	for range n {
		r := c.text()
		if c.bad || len(r) > wal.RecordBytesMax {
			return errLogDamaged
		}
		g.Records = append(g.Records, r)
	}
	g.Note = c.text()
	for c.more() {
		at := c.uvarint()
		l := logLink{first + at, c.text()}
		if c.bad || at >= n || len(l.Value) == 0 || len(l.Value)%16 != 0 {
			return errLogDamaged
		}
		g.Links = append(g.Links, l)
	}
	if c.bad {
		return errLogDamaged
	}
	return nil
}

// pairs calls fn with each pair of texts.
func (c *cursor) pairs(fn func(key, value []byte) error) error {
	for c.more() {
		key, value := c.text(), c.text()
		if c.bad {
			return errLogDamaged
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	if c.bad {
		return errLogDamaged
	}
	return nil
}
