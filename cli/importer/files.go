package importer

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// This file opens what may hold events: a file, the standard input, gzip, zstd, and each member
// of a zip. The first bytes say which it is, not the name. Everything is a stream: memory does
// not grow with what a file inflates to.

const (
	// depthMax is how many containers may lie in each other: a .gz in a .zip.
	depthMax = 2
	// membersMax is how many members a zip may have.
	membersMax = 100_000
	// ratioMax is how many times its packed size a container may inflate to, once it has given
	// ratioFree bytes. Access logs inflate to some 10 to 60 times theirs.
	ratioMax  = 500
	ratioFree = 64 << 20
	// windowMax is the memory that zstd may ask for, which is what "zstd --ultra -22" needs.
	windowMax = 128 << 20
)

// FileError is why a file cannot be read on.
type FileError struct {
	File string // with the member: "export.zip/2026-01-01.json.gz"
	Line int    // from 1; 0 = none
	Err  error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return printable(e.File + ": " + e.Err.Error())
	}
	return printable(fmt.Sprintf("%s, line %d: %v", e.File, e.Line, e.Err))
}

func (e *FileError) Unwrap() error { return e.Err }

// member is one text to read.
type member struct {
	name string // as errors name it
	path string // of the file on the disk, "" for the standard input
	in   *bufio.Reader
	head []byte // the first whole lines, of a log that grows; nil = in can be peeked
	// packed says that a container is around it, which may be broken anywhere.
	packed bool
}

// base is the last part of a member's name without the endings of containers.
func (m *member) base() string {
	name := path.Base(filepath.ToSlash(m.name))
	for _, ending := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n *int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

var errBomb = fmt.Errorf("inflates to more than %d times its size, as zip bombs do; unpack it yourself if it is good", ratioMax)

// inflated stops a container that inflates to far more than it is.
type inflated struct {
	r      io.Reader
	n      int64
	packed func() int64
}

func (b *inflated) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > ratioFree && b.n/ratioMax > b.packed() {
		return 0, errBomb
	}
	return n, err
}

// openFile calls each with every member of a file. read counts the bytes that are read of it.
func openFile(name string, stdin io.Reader, read *int64, each func(*member) error) error {
	if name == "-" {
		return unpack(&member{name: "standard input", in: bufio.NewReaderSize(counter{stdin, read}, readerBytes)}, nil, read, 0, each)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unpack(&member{name: name, path: name, in: bufio.NewReaderSize(counter{f, read}, readerBytes)}, f, read, 0, each)
}

// verify reads a file through if it is a container. Their checksums stand at the end, so what a
// broken one gives is only known to be wrong when it has been read.
func verify(name string) error {
	n := int64(0)
	buf := make([]byte, readerBytes)
	return openFile(name, nil, &n, func(m *member) error {
		if !m.packed {
			return nil
		}
		for line := 1; ; {
			n, err := m.in.Read(buf)
			line += bytes.Count(buf[:n], []byte("\n"))
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			if err != nil {
				return &FileError{m.name, line, fmt.Errorf("the container is broken or cut, and nothing of it is imported: %w", err)}
			}
		}
	})
}

// readerBytes is the size of the buffers of readers.
const readerBytes = 64 << 10

// unpack calls each with m, or with what m holds. f is the file that m is, nil if it is none.
func unpack(m *member, f *os.File, read *int64, depth int, each func(*member) error) error {
	begin, err := m.in.Peek(4)
	if err != nil && (!errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return &FileError{m.name, min(depth, 1), err}
	}
	kind := ""
	switch head := string(begin); {
	case strings.HasPrefix(head, "\x1f\x8b"):
		kind = "gzip"
	case head == "\x28\xb5\x2f\xfd":
		kind = "zstd"
	case head == "PK\x03\x04", head == "PK\x05\x06":
		kind = "zip"
	case head == "PAR1":
		return &FileError{m.name, 0, errors.New("is Parquet, which cairn writes and does not read; export NDJSON or CSV")}
	}
	if kind == "" {
		return each(m)
	}
	if depth == depthMax {
		return &FileError{m.name, 0, fmt.Errorf("holds a %s in a container in a container; unpack it yourself", kind)}
	}
	if kind == "zip" {
		return unzip(m, f, read, depth, each)
	}
	from := *read
	packed := func() int64 { return *read - from + readerBytes }
	var plain io.Reader
	if kind == "gzip" {
		z, err := gzip.NewReader(m.in)
		if err != nil {
			return &FileError{m.name, 0, err}
		}
		plain = z
	} else {
		z, err := zstd.NewReader(m.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax), zstd.WithDecoderLowmem(true))
		if err != nil {
			return &FileError{m.name, 0, err}
		}
		defer z.Close()
		plain = z
	}
	inner := &member{name: m.name, path: m.path, packed: true, in: bufio.NewReaderSize(&inflated{r: plain, packed: packed}, readerBytes)}
	return unpack(inner, nil, read, depth+1, each)
}

// unzip calls each with the members of a zip, in order of their names.
func unzip(m *member, f *os.File, read *int64, depth int, each func(*member) error) error {
	if f == nil {
		return &FileError{m.name, 0, errors.New("is a zip, which is read from its end: give the file itself, unpacked from other containers")}
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return &FileError{m.name, 0, err}
	}
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderMaxWindow(windowMax)))
	if len(z.File) > membersMax {
		return &FileError{m.name, 0, fmt.Errorf("has %d members; at most %d are read", len(z.File), membersMax)}
	}
	var names []string
	var files []*zip.File
	for _, file := range z.File {
		base := path.Base(file.Name)
		if file.FileInfo().IsDir() || strings.HasPrefix(base, ".") || strings.HasPrefix(file.Name, "__MACOSX/") {
			continue
		}
		names, files = append(names, file.Name), append(files, file)
	}
	if err := sumsOf(names); err != nil {
		return &FileError{m.name, 0, err}
	}
	if len(files) == 0 {
		return &FileError{m.name, 0, errors.New("the zip is empty")}
	}
	slices.SortFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	for _, file := range files {
		if err := unzipOne(m, file, read, depth, each); err != nil {
			return err
		}
		*read += int64(file.CompressedSize64)
	}
	return nil
}

func unzipOne(m *member, file *zip.File, read *int64, depth int, each func(*member) error) error {
	name := m.name + "/" + file.Name
	r, err := file.Open()
	if err != nil {
		return &FileError{name, 0, err}
	}
	defer r.Close()
	size := int64(file.CompressedSize64) + readerBytes
	plain := &inflated{r: r, packed: func() int64 { return size }}
	own := int64(0) // what is read of the member
	inner := &member{name: name, path: m.path, packed: true, in: bufio.NewReaderSize(counter{plain, &own}, readerBytes)}
	return unpack(inner, nil, &own, depth+1, each)
}
