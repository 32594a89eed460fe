// Package mcp lets assistants ask the questions of the native API: as tools of the Model Context
// Protocol, over HTTP at /mcp and over the standard streams of "cairn mcp". It asks nothing itself.
// Whoever has the rights of a credential gives it an Asker, and that has the bounds of the API.
//
// # What holds
//
// M1. Names, arguments, sentences and schemas of tools are those of native.Questions. The checks of
// arguments are the API's, and so are their errors.
//
// M2. No tool writes, deletes or fetches.
//
// M3. Texts of events come from strangers, who may write orders to an assistant. They stand in
// results alone, never in a description or schema. A result begins with a sentence that says what
// they are; each is at most 200 characters long, and shows what would be obeyed or hidden as an
// escape (tables.Safe).
//
// M4. Without People no tool names a person. The rule is that of shares (http/native/share.go), and
// the Asker keeps it: this room only leaves out the tools whose answers name people.
//
// M5. A message has at most 64 KB and 64 levels, and is one call. Nothing is kept between two
// messages over HTTP, and no answer is a stream.
//
//   - doc.go: this page
//   - server.go: the server of one kind of caller, and what it tells of itself
//   - tools.go: the tools and their schemas
//   - arguments.go: from arguments to the query of the API
//   - call.go: one call of a tool
//   - texts.go: the texts of an answer
//   - result.go: what is written for people beside the answer
//   - post.go: one message over HTTP
//   - stdio.go: messages over the standard streams
//   - rate.go: how many calls a minute
package mcp
