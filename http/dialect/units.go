package dialect

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// This file has what the settings types of dialects share: sizes, durations, an error.

// Size is a number of bytes, written "64MiB", "15KiB", "1GB" or as plain bytes.
type Size int64

// The longer suffix first, so that "MiB" is not read as "B".
var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size of 0 or more. The error shows the text and an example.
func (s *Size) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(in, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || math.IsNaN(n) || n*u.bytes >= math.MaxInt64 {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf(`%q is not a size; use for example "64MiB"`, in)
}

// String is the size in the largest of TiB, GiB, MiB and KiB that it fills, else in bytes.
func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if unit := sizeUnits[u]; float64(s) >= unit.bytes {
			return strconv.FormatFloat(float64(s)/unit.bytes, 'f', -1, 64) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// Duration is a length of time, written as in Go ("90s", "24h") or in days ("7d").
type Duration time.Duration

// UnmarshalText reads a duration of 0 or more. The error shows the text and an example.
func (d *Duration) UnmarshalText(text []byte) error {
	in := strings.TrimSpace(string(text))
	if days, ok := strings.CutSuffix(in, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 1e5 {
			*d = Duration(n * 24 * float64(time.Hour))
			return nil
		}
	}
	v, err := time.ParseDuration(in)
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is not a duration; use for example "24h" or "7d"`, in)
	}
	*d = Duration(v)
	return nil
}

// WordError says that a setting is none of the words that it may be.
type WordError struct {
	Key, Value string
	Words      []string
}

func (e *WordError) Error() string {
	return fmt.Sprintf("%s = %q: must be one of %s", e.Key, e.Value, strings.Join(e.Words, ", "))
}
