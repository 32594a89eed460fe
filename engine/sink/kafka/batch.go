//go:build !nosinks

package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file has the bytes of records: batches of version 2, as Kafka stores and sends them.
//
//	 0 first offset (8)    8 length of what follows (4)   12 leader's epoch (4)   16 version (1) = 2
//	17 CRC-32C of what follows (4)   21 attributes (2)   23 last offset less the first (4)
//	27 first time (8)     35 last time (8)    43 producer (8)   51 its epoch (2)
//	53 first sequence (4) 57 number of records (4)   61 the records, which may be compressed

const (
	batchHead      = 61
	batchCRCStart  = 21
	batchBytesHead = 12 // of the length and what is before it

	codecMask     = 0x07
	transactional = 0x10
	control       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// codecs are their numbers in attributes.
var codecs = map[string]int16{"none": 0, "gzip": 1, "snappy": 2, "zstd": 4}

// header is one of a record.
type header struct {
	key   string
	value []byte
}

// builder makes one batch after the other.
type builder struct {
	codec   int16
	records []byte // of the batch that is being built
	scratch []byte
	packed  []byte
	out     []byte
	n       int32
	zip     *zstd.Encoder // nil before the first batch with zstd
}

func (b *builder) reset() { b.records, b.n = b.records[:0], 0 }

// add adds a record. nil as value is none.
func (b *builder) add(key, value []byte, headers ...header) {
	t := b.scratch[:0]
	t = append(t, 0)                       // attributes
	t = binary.AppendVarint(t, 0)          // time less the batch's
	t = binary.AppendVarint(t, int64(b.n)) // offset less the batch's
	t = binary.AppendVarint(t, int64(len(key)))
	t = append(t, key...)
	if value == nil {
		t = binary.AppendVarint(t, -1)
	} else {
		t = append(binary.AppendVarint(t, int64(len(value))), value...)
	}
	t = binary.AppendVarint(t, int64(len(headers)))
	for _, h := range headers {
		t = append(binary.AppendVarint(t, int64(len(h.key))), h.key...)
		t = append(binary.AppendVarint(t, int64(len(h.value))), h.value...)
	}
	b.scratch = t
	b.records = append(binary.AppendVarint(b.records, int64(len(t))), t...)
	b.n++
}

// batch returns the batch of the records added. It is valid until the next call.
func (b *builder) batch(now int64, p *producer, sequence int32) ([]byte, error) {
	records, err := b.pack()
	if err != nil {
		return nil, err
	}
	t := b.out[:0]
	t = binary.BigEndian.AppendUint64(t, 0)
	t = binary.BigEndian.AppendUint32(t, uint32(batchHead-batchBytesHead+len(records)))
	t = binary.BigEndian.AppendUint32(t, ^uint32(0)) // the leader sets it
	t = append(t, 2)
	t = binary.BigEndian.AppendUint32(t, 0) // the CRC
	t = binary.BigEndian.AppendUint16(t, uint16(b.codec|transactional))
	t = binary.BigEndian.AppendUint32(t, uint32(b.n-1))
	t = binary.BigEndian.AppendUint64(t, uint64(now))
	t = binary.BigEndian.AppendUint64(t, uint64(now))
	t = binary.BigEndian.AppendUint64(t, uint64(p.number))
	t = binary.BigEndian.AppendUint16(t, uint16(p.epoch))
	t = binary.BigEndian.AppendUint32(t, uint32(sequence))
	t = binary.BigEndian.AppendUint32(t, uint32(b.n))
	t = append(t, records...)
	binary.BigEndian.PutUint32(t[17:], crc32.Checksum(t[batchCRCStart:], castagnoli))
	b.out = t
	return t, nil
}

// zipWindow is the window of zstd: a batch has about as many bytes.
const zipWindow = 1 << 20

func (b *builder) pack() ([]byte, error) {
	switch b.codec {
	case codecs["zstd"]:
		if b.zip == nil {
			var err error
			if b.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zipWindow), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
				return nil, err
			}
		}
		b.packed = b.zip.EncodeAll(b.records, b.packed[:0])
	case codecs["gzip"]:
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(b.records); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		b.packed = append(b.packed[:0], out.Bytes()...)
	case codecs["snappy"]:
		b.packed = s2.EncodeSnappy(b.packed[:cap(b.packed)], b.records)
	default:
		return b.records, nil
	}
	return b.packed, nil
}

// stored is a batch that was read.
type stored struct {
	first, last int64 // offsets
	producer    int64
	attributes  int16
	n           int32
	records     []byte // as they came
}

// readBatches calls each for the batches of an answer, in their order. The last one may be cut off;
// it is left out.
func readBatches(b []byte, each func(stored) error) error {
	for len(b) >= batchHead {
		length := int64(binary.BigEndian.Uint32(b[8:])) + batchBytesHead
		if length < batchHead {
			return fmt.Errorf("a batch has %d bytes", length)
		}
		if length > int64(len(b)) {
			return nil
		}
		one := b[:length]
		b = b[length:]
		if one[16] != 2 {
			return fmt.Errorf("a batch has the version %d", one[16])
		}
		if binary.BigEndian.Uint32(one[17:]) != crc32.Checksum(one[batchCRCStart:], castagnoli) {
			return fmt.Errorf("a batch is damaged")
		}
		first := int64(binary.BigEndian.Uint64(one))
		err := each(stored{first: first, last: first + int64(int32(binary.BigEndian.Uint32(one[23:]))), attributes: int16(binary.BigEndian.Uint16(one[21:])),
			producer: int64(binary.BigEndian.Uint64(one[43:])), n: int32(binary.BigEndian.Uint32(one[57:])), records: one[batchHead:]})
		if err != nil {
			return err
		}
	}
	return nil
}

// unpackedMax bounds a batch that was read.
const unpackedMax = 16 << 20

// unpack returns the records of a batch.
func (s *stored) unpack() ([]byte, error) {
	switch s.attributes & codecMask {
	case 0:
		return s.records, nil
	case codecs["gzip"]:
		r, err := gzip.NewReader(bytes.NewReader(s.records))
		if err != nil {
			return nil, err
		}
		out, err := io.ReadAll(io.LimitReader(r, unpackedMax+1))
		if err == nil && len(out) > unpackedMax {
			err = fmt.Errorf("a batch has over %d bytes", unpackedMax)
		}
		return out, err
	case codecs["snappy"]:
		if n, err := s2.DecodedLen(s.records); err != nil || n > unpackedMax {
			return nil, fmt.Errorf("a batch of snappy has %d bytes: %w", n, err)
		}
		return s2.Decode(nil, s.records)
	case codecs["zstd"]:
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(unpackedMax))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return r.DecodeAll(s.records, nil)
	}
	return nil, fmt.Errorf("a batch is compressed in a way that cairn does not know: %d", s.attributes&codecMask)
}

// readRecords calls each for the records of a batch.
func (s *stored) readRecords(each func(*kmsg.Record) error) error {
	b, err := s.unpack()
	if err != nil {
		return err
	}
	for range s.n {
		size, head := binary.Varint(b)
		if head <= 0 || size < 0 || size > int64(len(b)-head) {
			return fmt.Errorf("a batch of %d records is cut off", s.n)
		}
		var r kmsg.Record
		if err := r.ReadFrom(b[:head+int(size)]); err != nil {
			return err
		}
		if err := each(&r); err != nil {
			return err
		}
		b = b[head+int(size):]
	}
	return nil
}

// partitionOf is the partition of a key, as Kafka's own clients choose it: murmur2 of the key.
func partitionOf(key []byte, partitions int) int32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return int32(h&0x7fffffff) % int32(partitions)
}
