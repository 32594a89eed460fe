// Package nativetest is what tests of the native API need, in its own room and in that of
// the server: an engine that records its questions, and checks of answers against the
// contract. No other code imports it.
package nativetest
