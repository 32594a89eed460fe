// Package acme tests that the real program gets certificates: from the test authority of Let's
// Encrypt, which runs in the test. It is a module of its own, so that the authority's dependencies
// are not cairn's. It imports nothing of cairn.
//
// Run it with "go -C cli/e2e/acme test". With -short it is skipped.
package acme
