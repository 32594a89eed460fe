package s3test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server stores the objects of one bucket in memory. It knows PUT, GET, HEAD, DELETE, lists and
// conditions, and refuses a body whose SHA-256 is not the announced one. Its fields may be set while
// nobody uses it. It does not check signatures.
type Server struct {
	Bucket        string
	Clock         func() time.Time // nil = time.Now
	Unconditional bool             // it ignores If-Match and If-None-Match
	PageMax       int              // names in a page of a list; 0 = 1000

	mu      sync.Mutex
	objects map[string]object
	stored  int64
	most    int64 // bytes; 0 = it has no end
	puts    int64 // bytes that were sent
}

type object struct {
	body     []byte
	tag      string
	modified time.Time
}

// New returns a server with an empty bucket.
func New(bucket string) *Server { return &Server{Bucket: bucket, objects: make(map[string]object)} }

func (s *Server) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Header.Get("Authorization") == "":
		refuse(w, http.StatusForbidden, "AccessDenied")
	case bucket != s.Bucket:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case key == "" && r.Method == http.MethodGet:
		s.list(w, r)
	case r.Method == http.MethodPut:
		s.put(w, r, key)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.get(w, r, key)
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		s.stored -= int64(len(s.objects[key].body))
		delete(s.objects, key)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, key string) {
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	sum, hash := sha256.Sum256(body), md5.Sum(body)
	encoded := base64.StdEncoding.EncodeToString(sum[:])
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) || r.Header.Get("X-Amz-Checksum-Sha256") != encoded {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.objects[key]
	match := r.Header.Get("If-Match")
	switch {
	case s.Unconditional:
	case match != "" && !there:
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	case match != "" && match != old.tag, there && r.Header.Get("If-None-Match") == "*":
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	if grow := int64(len(body) - len(old.body)); s.most > 0 && s.stored+grow > s.most {
		refuse(w, http.StatusInsufficientStorage, "QuotaExceeded")
		return
	}
	s.stored += int64(len(body) - len(old.body))
	s.puts += int64(len(body))
	o := object{body, `"` + hex.EncodeToString(hash[:]) + `"`, s.now()}
	s.objects[key] = o
	w.Header().Set("ETag", o.tag)
	w.Header().Set("X-Amz-Checksum-Sha256", encoded)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	o, ok := s.objects[key]
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("ETag", o.tag)
	w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(len(o.body)))
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodGet {
		_, _ = w.Write(o.body)
	}
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []entry
}

type entry struct {
	Key, ETag, LastModified string
	Size                    int
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q, most := r.URL.Query(), s.PageMax
	if most == 0 {
		most = 1000
	}
	l := listing{Name: s.Bucket, Prefix: q.Get("prefix")}
	for _, name := range s.Names(l.Prefix) {
		if name <= q.Get("continuation-token") {
			continue
		}
		if len(l.Contents) == most {
			l.IsTruncated, l.NextContinuationToken = true, l.Contents[most-1].Key
			break
		}
		s.mu.Lock()
		o := s.objects[name]
		s.mu.Unlock()
		l.Contents = append(l.Contents, entry{name, o.tag, o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), len(o.body)})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(l)
}

// Limit sets how many bytes fit; 0 = it has no end.
func (s *Server) Limit(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = bytes
}

// Names lists the keys that begin with prefix.
func (s *Server) Names(prefix string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.objects {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Sent is how many bytes of bodies were stored so far.
func (s *Server) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

// Copy returns the objects, and Swap puts them in the place of the present ones: the bucket is then an
// older one.
func (s *Server) Copy() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]byte)
	for name, o := range s.objects {
		all[name] = o.body
	}
	return all
}

// Swap replaces all objects.
func (s *Server) Swap(all map[string][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects, s.stored = make(map[string]object), 0
	for name, body := range all {
		hash := md5.Sum(body)
		s.objects[name] = object{body, `"` + hex.EncodeToString(hash[:]) + `"`, s.now()}
		s.stored += int64(len(body))
	}
}
