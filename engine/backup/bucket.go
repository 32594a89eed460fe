package backup

import (
	"context"
	"errors"
	"io"
	"time"
)

// This file says what a backup needs of the place that it is written to.

// Bucket is a place for objects: a bucket of S3 below a prefix, or a directory. Names have slashes
// and no prefix. A Bucket is used by many goroutines at once. It does not try again: its callers do.
type Bucket interface {
	// Put stores an object whole, in one request, or not at all. sum is the SHA-256 of its bytes.
	// The error is ErrCondition if when is not met.
	Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when Condition) (Info, error)
	// Get reads an object from its beginning. The caller closes it.
	Get(ctx context.Context, name string) (io.ReadCloser, Info, error)
	Head(ctx context.Context, name string) (Info, error)
	// Delete removes an object. One that is not there is no error.
	Delete(ctx context.Context, name string) error
	// List calls each for the objects whose names begin with prefix, in the order of their names,
	// until each returns an error.
	List(ctx context.Context, prefix string, each func(Info) error) error
	// String is where the objects lie, without secrets: "s3://bucket/prefix", "/mnt/backup".
	String() string
}

// Condition says when Put may store. The zero Condition is always met.
type Condition struct {
	New bool   // no object has the name
	Tag string // the object of the name has this tag; "" = whatever it has
}

// Info is what a bucket knows of an object.
type Info struct {
	Name     string
	Size     int64
	Tag      string    // changes with the content; an ETag of S3
	Modified time.Time // by the clock of the bucket
	Now      time.Time // the clock of the bucket when it answered; zero = it does not say
}

// Errors of a Bucket, which callers compare with errors.Is.
var (
	ErrNotFound  = errors.New("there is no such object")
	ErrCondition = errors.New("the object has changed or exists already")

	// ErrGap says that the log in the bucket lacks rows, so a snapshot is needed.
	ErrGap = errors.New("the log in the bucket has a gap")
)
