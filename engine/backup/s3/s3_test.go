package s3_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/backup"
	"cairn/engine/backup/buckettest"
	"cairn/engine/backup/s3"
	"cairn/engine/backup/s3test"
)

// serve returns the bucket of a handler.
func serve(t *testing.T, h http.Handler) *s3.Bucket {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	b, err := s3.Open(s3.Options{To: "s3://bucket/some/prefix", Endpoint: server.URL, PathStyle: true, AccessKey: "key", AccessSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBucket(t *testing.T) {
	buckettest.Test(t, func(t *testing.T) backup.Bucket {
		s := s3test.New("bucket")
		s.PageMax = 7
		return serve(t, s)
	})
}

func put(b backup.Bucket, name, text string, when backup.Condition) error {
	_, err := b.Put(context.Background(), name, strings.NewReader(text), int64(len(text)), sha256.Sum256([]byte(text)), when)
	return err
}

// Whatever happens on the way, a call says so, and never says that an object is missing.
func TestFaults(t *testing.T) {
	var now atomic.Int64 // a request that was given up may still ask
	now.Store(int64(s3test.Pass))
	p := &s3test.Proxy{To: s3test.New("bucket"), Next: func(string, string) s3test.Fault { return s3test.Fault(now.Load()) }}
	b := serve(t, p)
	if err := put(b, "x", "text", backup.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []s3test.Fault{s3test.CutBefore, s3test.CutAfter, s3test.CutBody, s3test.Forbidden, s3test.Failed, s3test.Busy} {
		now.Store(int64(fault))
		ctx := context.Background()
		r, _, err := b.Get(ctx, "x")
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		calls := map[string]error{"get": err}
		if fault != s3test.CutBody { // these have no body
			calls["put"] = put(b, "x", "text", backup.Condition{})
			_, calls["head"] = b.Head(ctx, "x")
			calls["delete"] = b.Delete(ctx, "y")
		}
		calls["list"] = b.List(ctx, "", func(backup.Info) error { return nil })
		for what, err := range calls {
			if err == nil || errors.Is(err, backup.ErrNotFound) || errors.Is(err, backup.ErrCondition) {
				t.Errorf("fault %d: %s: %v", fault, what, err)
			}
		}
	}
}

// A server that stores something else, and says so in its checksum, is found out.
func TestOtherChecksum(t *testing.T) {
	s := s3test.New("bucket")
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		w.Header().Set("X-Amz-Checksum-Sha256", "AAAA")
		w.WriteHeader(rec.Code)
	}))
	if err := put(b, "x", "text", backup.Condition{}); err == nil || !strings.Contains(err.Error(), "SHA-256 differs") {
		t.Errorf("%v", err)
	}
}

func TestClockOfTheServer(t *testing.T) {
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	s := s3test.New("bucket")
	s.Clock = func() time.Time { return at }
	b := serve(t, s)
	if err := put(b, "x", "text", backup.Condition{}); err != nil {
		t.Fatal(err)
	}
	info, err := b.Head(context.Background(), "x")
	if err != nil || !info.Now.Equal(at) || !info.Modified.Equal(at) {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		what string
		o    s3.Options
		want string
	}{
		{"no scheme", s3.Options{To: "bucket/x"}, "s3://bucket/prefix"},
		{"no bucket", s3.Options{To: "s3:///x"}, "s3://bucket/prefix"},
		{"an endpoint without scheme", s3.Options{To: "s3://b", Endpoint: "host:9000"}, "https://"},
		{"a path in the endpoint", s3.Options{To: "s3://b", Endpoint: "https://host/b"}, "https://"},
		{"half a key", s3.Options{To: "s3://b", AccessKey: "x"}, "together"},
		{"two ways", s3.Options{To: "s3://b", AccessKey: "x", AccessSecret: "y", Role: true}, "only one"},
		{"no credentials", s3.Options{To: "s3://b"}, "AWS_ACCESS_KEY_ID"},
		{"no ca", s3.Options{To: "s3://b", AccessKey: "x", AccessSecret: "y", CA: "/nowhere"}, "ca: "},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		if _, err := s3.Open(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	b := serve(t, s3test.New("other"))
	if err := put(b, "x", "", backup.Condition{}); err == nil || !strings.Contains(err.Error(), "no bucket bucket") {
		t.Errorf("a missing bucket: %v", err)
	}
}
