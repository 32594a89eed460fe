package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem is a bucket in memory. Its fields may be set while nobody uses it.
type Mem struct {
	Clock func() time.Time                      // nil = time.Now
	Fail  func(method, name string) error       // asked before each call; nil = nothing fails
	Lie   func(name string, body []byte) []byte // what is stored in place of a body; nil = the body

	mu      sync.Mutex
	objects map[string]memObject
	tags    int
	puts    int64 // bytes
}

type memObject struct {
	body []byte
	info Info
}

// NewMem returns an empty bucket.
func NewMem() *Mem { return &Mem{objects: make(map[string]memObject)} }

func (m *Mem) now() time.Time {
	if m.Clock == nil {
		return time.Now()
	}
	return m.Clock()
}

func (m *Mem) fail(ctx context.Context, method, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fail == nil {
		return nil
	}
	return m.Fail(method, name)
}

// Put implements Bucket.
func (m *Mem) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when Condition) (Info, error) {
	if err := m.fail(ctx, "PUT", name); err != nil {
		return Info{}, err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return Info{}, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return Info{}, err
	}
	if int64(len(data)) != size || sha256.Sum256(data) != sum {
		return Info{}, errors.New("the body is another one")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, there := m.objects[name]
	if when.New && there || when.Tag != "" && old.info.Tag != when.Tag {
		return Info{}, ErrCondition
	}
	if m.Lie != nil {
		data = m.Lie(name, data)
	}
	m.tags++
	m.puts += size
	now := m.now()
	info := Info{Name: name, Size: int64(len(data)), Tag: fmt.Sprintf("tag-%d", m.tags), Modified: now, Now: now}
	m.objects[name] = memObject{data, info}
	return info, nil
}

// Get implements Bucket.
func (m *Mem) Get(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	if err := m.fail(ctx, "GET", name); err != nil {
		return nil, Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return nil, Info{}, ErrNotFound
	}
	o.info.Now = m.now()
	return io.NopCloser(bytes.NewReader(o.body)), o.info, nil
}

// Head implements Bucket.
func (m *Mem) Head(ctx context.Context, name string) (Info, error) {
	if err := m.fail(ctx, "HEAD", name); err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return Info{}, ErrNotFound
	}
	o.info.Now = m.now()
	return o.info, nil
}

// Delete implements Bucket.
func (m *Mem) Delete(ctx context.Context, name string) error {
	if err := m.fail(ctx, "DELETE", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// List implements Bucket.
func (m *Mem) List(ctx context.Context, prefix string, each func(Info) error) error {
	if err := m.fail(ctx, "LIST", prefix); err != nil {
		return err
	}
	for _, name := range m.Names(prefix) {
		m.mu.Lock()
		o, ok := m.objects[name]
		m.mu.Unlock()
		if !ok {
			continue
		}
		if err := each(o.info); err != nil {
			return err
		}
	}
	return nil
}

// String implements Bucket.
func (m *Mem) String() string { return "mem://" }

// Names lists the objects whose names begin with prefix.
func (m *Mem) Names(prefix string) (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.objects {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Change replaces the body of an object behind everybody's back; nil deletes it.
func (m *Mem) Change(name string, change func(body []byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[name]
	if o.body = change(bytes.Clone(o.body)); o.body == nil {
		delete(m.objects, name)
		return
	}
	o.info.Name, o.info.Size = name, int64(len(o.body))
	m.objects[name] = o
}

// Clone returns a bucket with the same objects.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	for name, o := range m.objects {
		c.objects[name] = o
	}
	c.tags, c.Clock = m.tags, m.Clock
	return c
}

// Puts is how many bytes were stored so far.
func (m *Mem) Puts() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.puts
}
