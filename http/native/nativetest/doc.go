// Package nativetest is what tests of the native API need, in its own room and in the
// server's: an engine that notes what it is asked, and checks of answers against the
// contract. No other code imports it.
package nativetest
