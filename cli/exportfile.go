package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// This file is the file that an export writes: a new one, or one that goes on.

// exportFile is the output of an export.
type exportFile struct {
	w       *bufio.Writer
	f       *os.File // nil for standard output
	part    string   // the name while it is not whole; "" = it is written in its place
	name    string
	goesOn  bool   // it has events already
	columns string // of a CSV file that goes on
}

// fileError is an error of the output: the export does not go on by itself.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// openExport opens the output. With -after it goes on with FILE.part or FILE, if there is one.
func openExport(e *exportFlags, stdout io.Writer) (*exportFile, error) {
	if e.out == "-" {
		return &exportFile{w: bufio.NewWriterSize(stdout, 64<<10), goesOn: e.after != ""}, nil
	}
	x := &exportFile{name: e.out, part: e.out + ".part"}
	if info, err := os.Stat(e.out); err == nil && !info.Mode().IsRegular() {
		x.part = "" // a pipe or a device
	}
	if e.after != "" && x.part != "" {
		for _, name := range []string{x.part, x.name} {
			if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if e.format == "parquet" {
				return nil, fmt.Errorf("%s exists, and a Parquet file cannot be gone on with; give another -o", name)
			}
			return x, x.goOn(e, name)
		}
	}
	name := x.part
	if name == "" {
		name = x.name
	}
	var err error
	if x.f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, err
	}
	x.w = bufio.NewWriterSize(x.f, 256<<10)
	return x, nil
}

// goOnBytes is how much of the end of a file is searched for the event of -after.
const goOnBytes = 64 << 20

// goOn opens a file to add to it, after the event of -after.
func (x *exportFile) goOn(e *exportFlags, name string) (err error) {
	if x.f, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	if name == x.name {
		x.part = ""
	}
	end, err := x.endOf(e)
	if err != nil {
		x.f.Close()
		return err
	}
	if err = x.f.Truncate(end); err == nil {
		_, err = x.f.Seek(end, io.SeekStart)
	}
	x.w, x.goesOn = bufio.NewWriterSize(x.f, 256<<10), true
	return err
}

// endOf returns where the event of -after ends in the file. What is behind it was cut off, or
// comes again. If the event is not in the file, as when its filter did not select it, only the rest
// of a cut line is left out.
func (x *exportFile) endOf(e *exportFlags) (int64, error) {
	size, err := x.f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if e.format == "csv" {
		head := make([]byte, min(size, 1<<20))
		if _, err := x.f.ReadAt(head, 0); err != nil {
			return 0, err
		}
		line, _, ok := bytes.Cut(head, []byte("\r\n"))
		if !ok {
			return 0, fmt.Errorf("%s does not begin with the names of columns", x.f.Name())
		}
		x.columns = columnsOf(line)
	}
	from := max(0, size-goOnBytes)
	tail := make([]byte, size-from)
	if _, err := x.f.ReadAt(tail, from); err != nil && err != io.EOF {
		return 0, err
	}
	start, line := []byte(`{"id":"`+e.after+`"`), []byte("\n")
	if e.format == "csv" {
		start, line = []byte(e.after+","), []byte("\r\n")
	}
	at := bytes.LastIndex(tail, append(slices.Clone(line), start...))
	if at >= 0 {
		at += len(line)
	} else if from == 0 && bytes.HasPrefix(tail, start) {
		at = 0
	}
	if at < 0 {
		last := bytes.LastIndex(tail, line)
		if e.format == "csv" && last+len(line) != len(tail) { // the line break may be in a cell
			return 0, fmt.Errorf("%s breaks off, and the event %s is not in its last %d MiB; give another -o", x.f.Name(), e.after, goOnBytes>>20)
		}
		return from + int64(last+len(line)), nil
	}
	end := recordEnd(tail[at:], e.format == "csv")
	if end < 0 {
		return 0, fmt.Errorf("the event %s is not whole in %s; give the cursor that the export has printed", e.after, x.f.Name())
	}
	return from + int64(at+end), nil
}

// recordEnd returns where the first record of b ends, or -1.
func recordEnd(b []byte, csv bool) int {
	quoted := false
	for i, c := range b {
		switch {
		case csv && c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return -1
}

// Write implements io.Writer.
func (x *exportFile) Write(b []byte) (int, error) {
	n, err := x.w.Write(b)
	if err != nil {
		err = &fileError{err}
	}
	return n, err
}

// finish makes the file whole.
func (x *exportFile) finish() error {
	if err := x.w.Flush(); err != nil || x.f == nil {
		return err
	}
	if err := x.f.Sync(); err != nil && x.part != "" {
		return err
	}
	if err := x.f.Close(); err != nil {
		return err
	}
	x.f = nil
	if x.part == "" {
		return nil
	}
	return os.Rename(x.part, x.name)
}

// leave leaves what there is of the file after an error.
func (x *exportFile) leave() {
	x.w.Flush()
	if x.f != nil {
		x.f.Close()
	}
}

// columnsOf returns the columns of CSV that are asked for by name, as the parameter has them.
func columnsOf(head []byte) string {
	names, err := csv.NewReader(bytes.NewReader(head)).Read()
	if err != nil || len(names) <= exportFixed {
		return ""
	}
	var b strings.Builder
	w := csv.NewWriter(&b) // a name may have a comma
	w.Write(names[exportFixed:])
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// exportFixed is how many columns every CSV file has.
const exportFixed = 10

// headless returns a query for CSV without its head.
func headless(query string) string { return strings.Replace(query, "&head=yes", "&head=no", 1) }
