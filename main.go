// Cairn is an event store that speaks the wire protocols of other trackers: one
// binary that keeps what it has acknowledged. Its command line is in cli.
package main

import "cairn/cli"

// version is set at release with -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

func main() { cli.Main(version) }
