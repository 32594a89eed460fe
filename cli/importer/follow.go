package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// This file reads on at the end of a log that grows, and through its rotation: renamed, with a new
// file in its place, or copied and truncated. Nothing is saved about how far it came. A new start
// reads the file from its beginning, and the message ids make that each line is stored once. What
// was rotated away while nobody followed is named in front of the log: access.log.1 access.log.

const (
	pollEvery = 250 * time.Millisecond
	// flushEvery is how long events wait for a batch to become full.
	flushEvery = time.Second
	// drainFor is how long a renamed log must have been quiet, because servers write to it until
	// they are told to open the new one.
	drainFor = 5 * time.Second
	// lastBytes is how much before the place of reading is compared to notice that a log was
	// truncated and has grown beyond that place again.
	lastBytes = 256
)

// tail is the reader of one file that grows. At its end it waits.
type tail struct {
	ctx   context.Context
	path  string
	f     *os.File
	idle  func() error
	drain time.Duration
	poll  time.Duration

	offset  int64
	last    []byte // before offset
	quiet   time.Time
	flushed time.Time
}

// follow calls each with the file and with every one that takes its place, until the context ends.
// idle is called when nothing more is there for a while.
// poll and drain are pollEvery and drainFor if they are 0.
func follow(ctx context.Context, path string, poll, drain time.Duration, idle func() error, each func(*member) error) error {
	if poll == 0 {
		poll, drain = pollEvery, drainFor
	}
	for first := true; ; first = false {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && !first { // between a rename and the new file
			if err := sleep(ctx, poll); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		t := &tail{ctx: ctx, path: path, f: f, idle: idle, poll: poll, drain: drain, flushed: time.Now()}
		head, err := t.head()
		if err == nil && len(head) > 0 {
			err = each(&member{name: path, path: path, in: bufio.NewReaderSize(t, readerBytes), head: head})
		}
		f.Close()
		if err != nil {
			return err
		}
	}
}

// head waits for the first whole line, and is the beginning of the file as far as its last whole
// line. It is empty if the file was rotated before it had one.
func (t *tail) head() ([]byte, error) {
	buf := make([]byte, headBytes)
	t.quiet = time.Now()
	for {
		n, err := t.f.ReadAt(buf, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if bytes.HasPrefix(buf[:n], []byte("\x1f\x8b")) || bytes.HasPrefix(buf[:n], []byte("\x28\xb5\x2f\xfd")) {
			return nil, &FileError{t.path, 0, errors.New("is packed; -follow reads a log as it is written")}
		}
		if end := bytes.LastIndexByte(buf[:n], '\n'); end >= 0 {
			return buf[:end+1], nil
		}
		if n == len(buf) {
			return buf, nil
		}
		if t.rotated() {
			return nil, nil
		}
		if err := sleep(t.ctx, t.poll); err != nil {
			return nil, err
		}
	}
}

// Read waits for more at the end of the file. It is io.EOF when the file was rotated.
func (t *tail) Read(p []byte) (int, error) {
	for {
		if err := t.ctx.Err(); err != nil {
			return 0, err
		}
		if t.truncated() { // before it is read: it may have grown beyond offset again
			return 0, io.EOF
		}
		n, err := t.f.Read(p)
		if n > 0 {
			t.offset += int64(n)
			t.remember(p[:n])
			t.quiet = time.Now()
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if time.Since(t.flushed) >= flushEvery || time.Since(t.quiet) >= t.poll {
			t.flushed = time.Now()
			if err := t.idle(); err != nil {
				return 0, err
			}
		}
		if t.rotated() {
			return 0, io.EOF
		}
		if err := sleep(t.ctx, t.poll); err != nil {
			return 0, err
		}
	}
}

// remember keeps the last bytes that were read.
func (t *tail) remember(p []byte) {
	if len(p) >= lastBytes {
		t.last = append(t.last[:0], p[len(p)-lastBytes:]...)
		return
	}
	t.last = append(t.last, p...)
	if over := len(t.last) - lastBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
}

// truncated reports whether the file is not the one any more that was read as far as offset.
func (t *tail) truncated() bool {
	info, err := t.f.Stat()
	if err != nil {
		return false
	}
	if info.Size() < t.offset {
		return true
	}
	var buf [lastBytes]byte
	n, err := t.f.ReadAt(buf[:len(t.last)], t.offset-int64(len(t.last)))
	return err == nil && !bytes.Equal(buf[:n], t.last)
}

// rotated reports whether another file has the name and nobody writes to this one any more.
func (t *tail) rotated() bool {
	info, err := t.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(t.path)
	if err != nil || os.SameFile(info, named) {
		return false // it may be renamed and have no successor yet
	}
	return time.Since(t.quiet) >= t.drain && info.Size() == t.offset
}
