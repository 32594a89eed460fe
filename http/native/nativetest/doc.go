// Package nativetest helps to test the native API, in its own package and in that of the
// server. It has an engine that records its questions, and checks of answers against the
// contract. Only tests import it.
package nativetest
