package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// This file looks at all files before anything is sent: whether they are there, and in which order
// they are read.

// besides reports whether a file is read together with another one that is named.
func (r *reader) besides(name string) bool {
	return isBeside(name) && len(r.o.Files) > 1 && r.mapped == nil && (r.o.Format == "" || r.o.Format == umami.name)
}

// sizes is how long all files are together. A file that is not there is an error before
// anything is sent.
func (r *reader) sizes() (all int64, err error) {
	for _, name := range r.o.Files {
		if name == "-" {
			return 0, nil
		}
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		if info.IsDir() {
			return 0, fmt.Errorf("%s is a directory; name the files in it", name)
		}
		all += info.Size()
	}
	if r.o.Follow {
		return 0, nil
	}
	return all, nil
}

// errFirst ends the look for the first event of a file.
var errFirst = errors.New("found")

// order sorts files by the times of their first events: a shell lists access.log before
// access.log.1, which is older. Files in which none is found keep their places.
func (r *reader) order() error {
	names := r.o.Files
	if r.o.Follow {
		names = names[:len(names)-1]
	}
	if len(names) < 2 || slices.Contains(names, "-") {
		return nil
	}
	type dated struct {
		name string
		time int64
	}
	var files []dated
	for i, name := range names {
		if r.besides(name) {
			continue
		}
		at := int64(0)
		probe := &reader{o: r.o, mapped: r.mapped, log: r.log, ctx: context.Background(), batch: newBatch(), ids: r.ids}
		n := int64(0)
		err := openFile(name, nil, &n, func(m *member) error {
			return probe.member(m, func(b *builder) error {
				if b.Time == 0 {
					return nil
				}
				at = b.Time
				return errFirst
			})
		})
		if err != nil && !errors.Is(err, errFirst) {
			var file *FileError
			if errors.As(err, &file) && file.Line == 0 {
				return err // it cannot be read at all: better to say so before anything is sent
			}
		}
		if at == 0 && i > 0 && len(files) > 0 {
			at = files[len(files)-1].time
		}
		files = append(files, dated{name, at})
	}
	slices.SortStableFunc(files, func(a, b dated) int { return int(min(max(a.time-b.time, -1), 1)) })
	sorted := make([]string, 0, len(r.o.Files))
	for _, f := range files {
		sorted = append(sorted, f.name)
	}
	if r.o.Follow {
		sorted = append(sorted, r.o.Files[len(r.o.Files)-1])
	}
	if r.o.Notice != nil && !slices.Equal(sorted, r.o.Files) {
		r.o.Notice("reading the files in the order of their first events: " + strings.Join(sorted, " "))
	}
	r.o.Files = sorted
	return nil
}
