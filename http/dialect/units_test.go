package dialect

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"64MiB": 64 << 20, "15KiB": 15 << 10, "1.5 GiB": 3 << 29, "2TB": 2e12, "500KB": 500e3, "7B": 7, "1024": 1024, "0": 0,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: got %d, %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1e99", "NaN", "1PiB", "64mib", "1 2"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted as %d", text, s)
		}
	}
}
