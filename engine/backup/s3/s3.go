package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"cairn/engine/backup"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Options say where a bucket is and who may use it.
type Options struct {
	To        string // "s3://bucket/prefix"
	Endpoint  string // "https://host:port"; "" = Amazon's for Region
	Region    string // "" = the bucket's own at Amazon, us-east-1 elsewhere
	PathStyle bool   // the bucket is in the path of a request, not in its host
	CA        string // a file with certificates that are trusted besides the system's

	AccessKey, AccessSecret string
	Role                    bool // ask the machine's own address for credentials
}

// stallMax is how long a transfer may move no byte.
const stallMax = 2 * time.Minute

// Bucket is a bucket of S3 below a prefix. It implements backup.Bucket.
type Bucket struct {
	calls
	bucket   string
	prefix   string // "" or ends with a slash
	stallMax time.Duration
}

// calls are the calls of the client. They are functions, because a field of the client's type would keep
// all of its methods in the program: a Bucket is put into interfaces, and the linker cannot know what is
// called of the types inside it once a program calls methods by their name, as html/template does. The
// client's other methods take 1.5 MB.
type calls struct {
	putObject    func(ctx context.Context, bucket, name string, body io.Reader, size int64, md5, sha256 string, opts minio.PutObjectOptions) (minio.UploadInfo, error)
	getObject    func(ctx context.Context, bucket, name string, opts minio.GetObjectOptions) (io.ReadCloser, minio.ObjectInfo, http.Header, error)
	statObject   func(ctx context.Context, bucket, name string, opts minio.StatObjectOptions) (minio.ObjectInfo, error)
	removeObject func(ctx context.Context, bucket, name string, opts minio.RemoveObjectOptions) error
	listObjects  func(ctx context.Context, bucket string, opts minio.ListObjectsOptions) <-chan minio.ObjectInfo
}

// ParseTo splits "s3://bucket/prefix". The prefix is "" or ends with a slash.
func ParseTo(to string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(to, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || strings.ContainsAny(to, "?#@ ") {
		return "", "", fmt.Errorf("%q is not a bucket; use for example s3://bucket/prefix", to)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// Open returns a bucket. It asks nothing of the server yet.
func Open(o Options) (*Bucket, error) {
	b := &Bucket{stallMax: stallMax}
	var err error
	if b.bucket, b.prefix, err = ParseTo(o.To); err != nil {
		return nil, err
	}
	host, secure, region := "s3.amazonaws.com", true, o.Region
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
			return nil, fmt.Errorf("endpoint %q is not an address; use for example https://s3.example.com", o.Endpoint)
		}
		if host, secure = u.Host, u.Scheme == "https"; region == "" {
			region = "us-east-1"
		}
	}
	creds, err := o.credentials()
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(o.CA)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(host, &minio.Options{Creds: creds, Secure: secure, Region: region, BucketLookup: lookup, Transport: dated{transport}, MaxRetries: 1})
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", o.Endpoint, err)
	}
	b.calls = calls{core.PutObject, core.GetObject, core.StatObject, core.RemoveObject, core.Client.ListObjects}
	return b, nil
}

// credentials takes the configured keys, the machine's role if that is asked for, or else the
// variables that Amazon's own programs read.
func (o *Options) credentials() (*credentials.Credentials, error) {
	switch {
	case o.Role && (o.AccessKey != "" || o.AccessSecret != ""):
		return nil, errors.New(`credentials = "role" and access_key are both set; set only one`)
	case (o.AccessKey == "") != (o.AccessSecret == ""):
		return nil, errors.New("access_key and access_secret must be set together")
	case o.Role:
		return credentials.NewIAM(""), nil
	case o.AccessKey != "":
		return credentials.NewStaticV4(o.AccessKey, o.AccessSecret, ""), nil
	}
	key, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if key == "" || secret == "" {
		return nil, errors.New(`no credentials: set access_key and access_secret, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or credentials = "role"`)
	}
	return credentials.NewStaticV4(key, secret, os.Getenv("AWS_SESSION_TOKEN")), nil
}

func newTransport(ca string) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: 5 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   8,
		DisableCompression:    true,
	}
	if ca == "" {
		return t, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca: %s has no certificate", ca)
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

// dated tells a call the clock of the server, which the library does not pass on.
type dated struct{ http.RoundTripper }

type dateKey struct{}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if now, ok := r.Context().Value(dateKey{}).(*time.Time); ok && err == nil {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			*now = at
		}
	}
	return resp, err
}

// String implements backup.Bucket.
func (b *Bucket) String() string {
	return strings.TrimSuffix("s3://"+b.bucket+"/"+b.prefix, "/")
}

// Put implements backup.Bucket.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when backup.Condition) (backup.Info, error) {
	ctx, moved, cancel := b.watch(ctx)
	defer cancel()
	var now time.Time
	ctx = context.WithValue(ctx, dateKey{}, &now)
	encoded := base64.StdEncoding.EncodeToString(sum[:])
	// The sum is in the signature: a body that is not cut into signed chunks can be stored by the
	// simplest server.
	opts := minio.PutObjectOptions{DisableContentSha256: true, DisableMultipart: true, UserMetadata: map[string]string{"x-amz-checksum-sha256": encoded}}
	switch {
	case when.New:
		opts.SetMatchETagExcept("*")
	case when.Tag != "":
		opts.SetMatchETag(when.Tag)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return backup.Info{}, err
	}
	up, err := b.putObject(ctx, b.bucket, b.prefix+name, &watched{body, moved}, size, "", hex.EncodeToString(sum[:]), opts)
	if err != nil {
		return backup.Info{}, b.explain(ctx, "store "+name, err, when != backup.Condition{})
	}
	if up.ChecksumSHA256 != "" && up.ChecksumSHA256 != encoded {
		return backup.Info{}, fmt.Errorf("store %s: the server has stored another content: its SHA-256 differs", name)
	}
	return backup.Info{Name: name, Size: size, Tag: up.ETag, Modified: now, Now: now}, nil
}

// Get implements backup.Bucket.
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, backup.Info, error) {
	ctx, moved, cancel := b.watch(ctx)
	var now time.Time
	r, o, _, err := b.getObject(context.WithValue(ctx, dateKey{}, &now), b.bucket, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		defer cancel()
		return nil, backup.Info{}, b.explain(ctx, "read "+name, err, false)
	}
	return &reading{watched{r, moved}, r, cancel}, infoOf(name, &o, now), nil
}

func infoOf(name string, o *minio.ObjectInfo, now time.Time) backup.Info {
	return backup.Info{Name: name, Size: o.Size, Tag: o.ETag, Modified: o.LastModified, Now: now}
}

// Head implements backup.Bucket.
func (b *Bucket) Head(ctx context.Context, name string) (backup.Info, error) {
	ctx, _, cancel := b.watch(ctx)
	defer cancel()
	var now time.Time
	o, err := b.statObject(context.WithValue(ctx, dateKey{}, &now), b.bucket, b.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return backup.Info{}, b.explain(ctx, "look at "+name, err, false)
	}
	return infoOf(name, &o, now), nil
}

// Delete implements backup.Bucket.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	ctx, _, cancel := b.watch(ctx)
	defer cancel()
	err := b.removeObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{})
	if err = b.explain(ctx, "delete "+name, err, false); errors.Is(err, backup.ErrNotFound) {
		return nil
	}
	return err
}

// List implements backup.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string, each func(backup.Info) error) error {
	ctx, moved, cancel := b.watch(ctx)
	defer cancel() // which ends the library's goroutine
	last := ""
	for o := range b.listObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
		moved()
		if o.Err != nil {
			return b.explain(ctx, "list "+b.String(), o.Err, false)
		}
		name, ok := strings.CutPrefix(o.Key, b.prefix)
		if !ok || !strings.HasPrefix(name, prefix) {
			return fmt.Errorf("list %s: the server names %q, which was not asked for", b, o.Key)
		}
		if strings.HasSuffix(name, "/") || name == "" {
			continue // some programs store empty objects as directories
		}
		if name <= last {
			return fmt.Errorf("list %s: the server lists %q after %q", b, name, last)
		}
		last = name
		if err := each(infoOf(name, &o, time.Time{})); err != nil {
			return err
		}
	}
	return b.explain(ctx, "list "+b.String(), context.Cause(ctx), false)
}

// explain returns an error in the words of a bucket.
func (b *Bucket) explain(ctx context.Context, what string, err error, conditional bool) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", what, cause)
	}
	answer := minio.ToErrorResponse(err)
	switch code := answer.StatusCode; {
	case code == http.StatusPreconditionFailed, code == http.StatusConflict && conditional, code == http.StatusNotFound && answer.Code == "NoSuchKey" && conditional:
		return fmt.Errorf("%s: %w", what, backup.ErrCondition)
	case code == http.StatusNotImplemented && conditional:
		return fmt.Errorf("%s: %w: %w", what, errors.ErrUnsupported, err)
	case answer.Code == "NoSuchBucket":
		return fmt.Errorf("%s: there is no bucket %s", what, b.bucket)
	case code == http.StatusNotFound && !conditional:
		return fmt.Errorf("%s: %w", what, backup.ErrNotFound)
	case answer.Code == "AccessDenied":
		return fmt.Errorf("%s: the server denies access (%w); the keys need GetObject, PutObject, DeleteObject and ListBucket", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

var errStalled = errors.New("the server has neither taken nor sent a byte for two minutes")

// watch returns a context that ends when a transfer stalls. Each call of moved says that it has not.
func (b *Bucket) watch(ctx context.Context) (_ context.Context, moved func(), cancel func()) {
	ctx, stop := context.WithCancelCause(ctx)
	timer := time.AfterFunc(b.stallMax, func() { stop(errStalled) })
	return ctx, func() { timer.Reset(b.stallMax) }, func() { timer.Stop(); stop(nil) }
}

// watched reads and tells that bytes move. The library may seek in it.
type watched struct {
	io.Reader
	moved func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.moved()
	return w.Reader.Read(p)
}

func (w *watched) Seek(offset int64, whence int) (int64, error) {
	s, ok := w.Reader.(io.Seeker)
	if !ok {
		return 0, errors.New("not seekable")
	}
	return s.Seek(offset, whence)
}

// reading is an object that is being read.
type reading struct {
	watched
	io.Closer
	cancel func()
}

func (r *reading) Close() error {
	defer r.cancel()
	return r.Closer.Close()
}
