package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// This file undoes Content-Encoding within three bounds: the route's limit on the result, a
// ratio beyond which a body is a bomb, and the memory and number of decoders at work. The
// packed body is in memory already, so decoding waits for no client and takes milliseconds.

// ErrEncoding is what ParseEncoding returns, ErrPacked what Inflate returns for a body
// that is truncated or of another format.
var (
	ErrEncoding = errors.New("unsupported Content-Encoding; gzip, deflate and zstd are understood")
	ErrPacked   = errors.New("the body does not decode")
)

const (
	ratioMax       = 100     // bytes out for each byte in,
	ratioFreeBytes = 1 << 20 // after so many bytes out
	windowBytesMax = 8 << 20 // of zstd
	windowKept     = 1 << 20 // a zstd decoder with a larger window is not kept
	inflateStep    = 16 << 10

	// Of clients that have proved no secret, few bodies that become larger than this are
	// decoded at once. What such a body may become is charged before.
	inflateSmall = 64 << 10
)

// Inflater holds the decoders. Any goroutine may use it. At most two decoders for each
// processor are at work at once; others wait. In addition, one for every two processors
// decodes large bodies of clients without a secret, which thus leave time for all others.
type Inflater struct {
	slots chan struct{}
	large chan struct{}
	gzip  sync.Pool // *gzip.Reader
	zlib  sync.Pool // io.ReadCloser and zlib.Resetter
	flate sync.Pool // io.ReadCloser and flate.Resetter
	zstd  sync.Pool // *zstd.Decoder
	input sync.Pool // *packed
}

// packed is the input of a decoder. Without an io.ByteReader the decoders would make a buffer
// of their own each time.
type packed struct {
	bytes.Reader
}

// NewInflater makes an Inflater. It makes decoders when they are needed.
func NewInflater() *Inflater {
	return &Inflater{
		slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		large: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		input: sync.Pool{New: func() any { return new(packed) }},
	}
}

// Encoding is a Content-Encoding that is understood.
type Encoding uint8

// Identity is no encoding at all: the body is as it was sent.
const (
	Identity Encoding = iota
	gzipped
	deflated
	zstandard
)

// ParseEncoding reads a Content-Encoding. An empty one is Identity. The error is
// ErrEncoding, also for two encodings on top of each other.
func ParseEncoding(header string) (Encoding, error) {
	switch strings.ToLower(strings.TrimSpace(header)) {
	case "", "identity":
		return Identity, nil
	case "gzip", "x-gzip":
		return gzipped, nil
	case "deflate":
		return deflated, nil
	case "zstd":
		return zstandard, nil
	}
	return Identity, ErrEncoding
}

// Inflate decodes in and appends the result to out, at most limit bytes. The errors are
// ErrBodyLarge beyond the limit, ErrPacked for input that is truncated or of another
// format, ErrBodyMemory when the budget of out has nothing left, and ErrBodyShare the same of
// the client's share. in is not kept.
func (f *Inflater) Inflate(enc Encoding, in []byte, out *Buffer, limit int64) error {
	if !out.Share.bounded() || limit <= inflateSmall {
		return f.inflate(f.slots, enc, in, out, limit)
	}
	before := len(out.B)
	err := f.inflate(f.slots, enc, in, out, inflateSmall)
	if err != ErrBodyLarge {
		return err
	}
	// While it waits, it holds no more than the body as it came.
	out.shrink(before)
	return f.inflate(f.large, enc, in, out, limit)
}

// inflate is Inflate in one of the given places, for which it waits.
func (f *Inflater) inflate(places chan struct{}, enc Encoding, in []byte, out *Buffer, limit int64) error {
	places <- struct{}{}
	defer func() { <-places }()
	if places == f.large {
		most := min(limit, max(ratioFreeBytes, ratioMax*int64(len(in)))) + 1
		if err := out.reserve(int64(len(out.B)) + most); err != nil {
			return err
		}
		defer out.settle()
	}
	src := f.input.Get().(*packed)
	defer func() {
		src.Reset(nil)
		f.input.Put(src)
	}()
	src.Reset(in)

	switch enc {
	case gzipped:
		r, _ := f.gzip.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		defer f.gzip.Put(r)
		if err := r.Reset(src); err != nil {
			return ErrPacked
		}
		return drain(r, in, out, limit)
	case deflated:
		// HTTP's deflate is zlib; some clients send the bare stream.
		if len(in) >= 2 && in[0]&0x0f == 8 && (uint(in[0])<<8|uint(in[1]))%31 == 0 {
			r, _ := f.zlib.Get().(io.ReadCloser)
			if r == nil {
				var err error
				if r, err = zlib.NewReader(src); err != nil {
					return ErrPacked
				}
			} else if err := r.(zlib.Resetter).Reset(src, nil); err != nil {
				f.zlib.Put(r)
				return ErrPacked
			}
			defer f.zlib.Put(r)
			return drain(r, in, out, limit)
		}
		r, _ := f.flate.Get().(io.ReadCloser)
		if r == nil {
			r = flate.NewReader(src)
		} else {
			r.(flate.Resetter).Reset(src, nil)
		}
		defer f.flate.Put(r)
		return drain(r, in, out, limit)
	case zstandard:
		if len(in) == 0 {
			return ErrPacked
		}
		var frame zstd.Header
		_ = frame.Decode(in) // what it cannot read, the decoder refuses
		r, _ := f.zstd.Get().(*zstd.Decoder)
		if r == nil {
			var err error
			r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxMemory(windowBytesMax), zstd.WithDecoderMaxWindow(windowBytesMax))
			if err != nil {
				return err
			}
		}
		if err := r.Reset(src); err != nil {
			return ErrPacked
		}
		before := len(out.B)
		err := drain(r, in, out, limit)
		if frame.WindowSize > windowKept || len(out.B)-before > windowKept {
			r.Close()
		} else {
			r.Reset(nil)
			f.zstd.Put(r)
		}
		return err
	}
	return ErrEncoding
}

// drain reads r to its end.
func drain(r io.Reader, in []byte, out *Buffer, limit int64) error {
	before := len(out.B)
	for {
		if most := before + int(limit) + 1; cap(out.B)-len(out.B) < inflateStep/4 && cap(out.B) < most {
			if err := out.grow(inflateStep, most); err != nil {
				return err
			}
		}
		n, err := r.Read(out.B[len(out.B):cap(out.B)])
		out.B = out.B[:len(out.B)+n]
		got := len(out.B) - before
		if int64(got) > limit || got > ratioFreeBytes && got/ratioMax > len(in) {
			return ErrBodyLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
				return ErrBodyLarge
			}
			return ErrPacked
		}
	}
}

var _ io.ByteReader = (*packed)(nil)
