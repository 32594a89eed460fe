package segment

import "testing"

// The error of Validate names the invalid key.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		settings Settings
		want     string // "" = the settings are valid
	}{
		{Defaults(), ""},
		{Settings{1 << 10, 1 << 10}, ""},
		{Settings{256 << 10, 8 << 20}, ""},
		{Settings{1<<10 - 1, 500 << 10}, `event_limit = "1023B": must be from 1KiB to 256KiB`},
		{Settings{257 << 10, 500 << 10}, `event_limit = "257KiB": must be from 1KiB to 256KiB`},
		{Settings{15 << 10, 14 << 10}, `batch_limit = "14KiB": must be from event_limit to 8MiB`},
		{Settings{15 << 10, 9 << 20}, `batch_limit = "9MiB": must be from event_limit to 8MiB`},
	} {
		got := ""
		if err := c.settings.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.settings, got, c.want)
		}
	}
}
