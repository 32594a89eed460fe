// Package importer reads what other tools have recorded and sends it to a running server as
// events of the native API.
//
// # The way of a record
//
// A file is unpacked as a stream (files.go) and recognised by its first lines (preset.go). A
// reader gives its records: lines of JSON, rows of a table, lines of an access log. A preset says
// what they are: mostly a map of columns (table.go), sometimes a rule besides. The builder makes
// an event of them, which goes into a batch with a message id, and the batch to the server.
//
//	R1  batches are sent in the order of the files, one at a time
//	R2  the same file gives the same message ids, so it can be read again at any time
//	R3  memory is bounded whatever a file holds: a line, a batch, some batches ahead
//	R4  what is not an event is left out with a reason, what cannot be one is refused with its
//	    file and line; nothing is dropped in silence
//
// # Files
//
//	importer.go       options, summary, and the way of an import; start here
//	order.go          the files, and in which order they are read
//	batch.go          what is handed on, and the summary
//	files.go          files, gzip, zstd, zip, the standard input, and their bounds
//	lines.go csv.go   readers of lines and JSON, and of tables
//	preset.go         the table of formats, and how one is recognised
//	table.go          the language of maps: presets' and -map
//	builder.go        one event
//	values.go         times, numbers and names of other tools
//	messageid.go      ids of events whose source has none
//	send.go dryrun.go what becomes of a batch: at the server, or in a dry run
//	follow.go         logs that grow, and their rotation
//	sums.go           exports without events, which are refused
//
// Formats:
//
//	cairn.go          NDJSON and CSV of cairn
//	hit.go            access logs: which line is an event
//	accesslog.go      common, combined and Caddy
//	logformat.go      W3C, IIS, CloudFront, and formats that the operator describes
//	goatcounter.go umami.go plausible.go matomo.go matomolive.go openpanel.go posthog.go
//	mixpanel.go amplitude.go ga4.go segment.go
//	                  the tools of these names
package importer
