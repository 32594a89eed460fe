// Sound: reading keys around damage.

package repair

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// remembering is a Reader that reads a key of a damaged block only once: Pebble tries every bit
// of such a block, and needs a second for 32 KiB.
type remembering struct {
	pebble.Reader
	failed map[string]error // by key
}

// Get is pebble.Reader's.
func (r *remembering) Get(key []byte) ([]byte, io.Closer, error) {
	if err := r.failed[string(key)]; err != nil {
		return nil, nil, err
	}
	v, closer, err := r.Reader.Get(key)
	if err != nil {
		r.failed[string(key)] = err
	}
	return v, closer, err
}

// sound calls fn, in order, with every key that can be read among those that consist of prefix
// and a u64. It returns the first damage that it has passed over, and the error of fn.
func sound(r pebble.Reader, prefix []byte, fn func(n uint64, key, value []byte) error) (damage, err error) {
	at := func(n uint64) []byte { return binary.BigEndian.AppendUint64(append([]byte{}, prefix...), n) }
	end := append(at(math.MaxUint64), 0)
	// readable reports whether the first key from n on can be read.
	readable := func(n uint64) bool {
		it, err := r.NewIter(&pebble.IterOptions{LowerBound: at(n), UpperBound: end})
		if err != nil {
			return false
		}
		it.First()
		return it.Close() == nil
	}
	for next := uint64(0); ; {
		it, rerr := r.NewIter(&pebble.IterOptions{LowerBound: at(next), UpperBound: end})
		if rerr == nil {
			for ok := it.First(); ok; ok = it.Next() {
				if len(it.Key()) != len(prefix)+8 {
					continue
				}
				n := binary.BigEndian.Uint64(it.Key()[len(prefix):])
				if err := fn(n, it.Key(), it.Value()); err != nil {
					_ = it.Close()
					return damage, err
				}
				if n == math.MaxUint64 {
					break
				}
				next = n + 1
			}
			if rerr = it.Close(); rerr == nil {
				return damage, nil
			}
		}
		if damage == nil {
			damage = rerr
		}
		// The damaged block ends somewhere: double the step until a key can be read, then
		// find the first such place.
		step := uint64(1)
		for !readable(next + step) {
			if step *= 2; next+step < next || step == 0 {
				return damage, nil
			}
		}
		bad, good := next+step/2, next+step // step/2 is 0 for the first step
		for bad+1 < good {
			if mid := bad + (good-bad)/2; readable(mid) {
				good = mid
			} else {
				bad = mid
			}
		}
		next = good
	}
}
