// Package s3test is a small server of S3 for tests, and a proxy that spoils what passes it.
package s3test
