// Bad rows: which rows a sink has refused, in a file that says nothing of what is in them.

package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BadName is the file in the data directory: a JSON object a line. Beyond badBytes it is renamed to
// badOlder, in place of the one before.
const (
	BadName  = "sink-bad.ndjson"
	badOlder = "sink-bad.1.ndjson"
	badBytes = 10 << 20
)

// badLine is a line. Names of fields never change.
type badLine struct {
	Time string `json:"time"`
	Sink string `json:"sink"`
	Site string `json:"site"`
	Seq  uint64 `json:"seq"`
	ID   string `json:"id"`
	Code string `json:"code"`
}

// noteBad adds a line, durably.
func (r *Runner) noteBad(s *carried, seq uint64, f *Fault) (err error) {
	fs := r.src.FS
	if r.src.Full() {
		return errFull
	}
	line, err := json.Marshal(badLine{r.src.Now().UTC().Format(time.RFC3339), r.name, s.Name, seq, r.src.Read.Public.Encode(s.Number, seq), f.Code})
	if err != nil {
		return err
	}
	path := fs.PathJoin(r.src.Dir, BadName)
	defer func() {
		if err != nil {
			err = fmt.Errorf("note a row that the sink refuses: %w", err)
		}
	}()
	info, err := fs.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return writeLine(fs, r.src.Dir, path, line, 0)
	case err != nil:
		return err
	case info.Size() >= badBytes:
		if err := fs.Rename(path, fs.PathJoin(r.src.Dir, badOlder)); err != nil {
			return err
		}
		return writeLine(fs, r.src.Dir, path, line, 0)
	}
	return writeLine(fs, r.src.Dir, path, line, info.Size())
}

// writeLine writes a line at a place of a file, and makes the file when the place is its begin.
func writeLine(fs vfs.FS, dir, path string, line []byte, at int64) (err error) {
	var f vfs.File
	if at == 0 {
		f, err = fs.Create(path, vfs.WriteCategoryUnspecified)
	} else {
		f, err = fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if n, err := f.WriteAt(append(line, '\n'), at); err != nil {
		return err
	} else if n != len(line)+1 {
		return io.ErrShortWrite
	}
	if err := f.Sync(); err != nil || at > 0 {
		return err
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
