// Package s3 is a bucket of S3: of Amazon, or of another server that speaks its protocol. It is the
// only package that knows the client library.
//
// An object is stored in one request. Its SHA-256 is signed, sent as a checksum and compared with
// the one in the answer.
package s3
