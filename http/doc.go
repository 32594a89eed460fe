// Package httpd is cairn's http room: everything that speaks HTTP. The package
// is not called http so that net/http stays itself.
package httpd
