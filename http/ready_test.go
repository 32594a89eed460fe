package httpd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"cairn/engine/query"
)

// Anybody may ask /healthz and /readyz. They say why the store takes no writes, and name
// neither a file nor what else is in the error: that is in the log.
func TestReadyNamesNoFile(t *testing.T) {
	s := start(t, nil)
	for want, err := range map[string]error{
		query.ErrFailed.Error() + ": " + syscall.EIO.Error(): fmt.Errorf("%w: sync log: %w", query.ErrFailed, &fs.PathError{Op: "sync", Path: "/var/lib/cairn/store/000012.log", Err: syscall.EIO}),
		query.ErrFailed.Error():                              fmt.Errorf("%w: place event: site 3 of /var/lib/cairn", query.ErrFailed),
		query.ErrDiskFull.Error():                            fmt.Errorf("%w: a start may write into /var/lib/cairn", query.ErrDiskFull),
		"internal error":                                     errors.New("open /var/lib/cairn: else"),
	} {
		s.engine.ready = err
		for _, path := range []string{"/healthz", "/readyz", "/healthcheck"} {
			if a := s.send("GET", path, ""); !strings.HasSuffix(a.body, `"reasons":["`+want+`"]}`) {
				t.Errorf("%s says %s of: %v", path, a.body, err)
			}
		}
	}
}
