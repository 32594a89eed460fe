// Package cli is the command line of cairn. It reads flags and the configuration, puts the
// parts of a server together, and has one function for each command.
//
// # Files
//
//	cli.go      the table of commands, and their flags; start here
//	serve.go    the command "serve": reads the configuration, and prepares the data directory
//	process.go  one running server: opens the store, serves, stops
//	reload.go   gives a running server another configuration; sites.go changes its sites
//	key.go      the command "key", and the admin token; sitekeys.go changes keys of a running
//	            process, keyuses.go notes when they were used
//	site.go     the commands "site" and "reload"
//	parts.go    what a part of a running server is, and the list of all parts
//	listen.go   the http server and its listeners
//	certs.go    its certificates, and those that are fetched
//	notify.go monotonic_linux.go monotonic_other.go
//	            tells systemd how the server is
//	datadir.go  which directories may be data directories
//	adminlog.go admin.log: who administered the store
//	backup.go   backs up the store while it is open
//	sinks.go    gives the store its sinks, ClickHouse and Kafka; sink.go has the command
//	memory.go   the limit of memory that the runtime keeps to
//	malloc_cgo.go malloc_other.go
//	            the same for the memory of C, in a build with cgo
//	debug.go    profiles of the process
//	ask.go      how commands reach the running server: the socket of its data directory
//	admin.go    snapshot, restore and check
//	backups.go  the commands on backups, and restore from one
//	offline.go  the same for a stopped data directory or a snapshot
//	readonly.go "serve -read-only": the same for many clients
//	mcp.go      answers an assistant; whom.go says which server such a command asks
//	report.go   the command "report": every question of the API; reportask.go asks, reportwatch.go asks
//	            again and again
//	tail.go     prints events as they come, and what is refused
//	configcmd.go
//	            checks and shows the configuration
//	doctor.go   looks for what needs a hand; doctordir.go what it sees of the directory itself
//	forget.go   deletes events, and shows what will be deleted next
//	export.go   export; exportlines.go reads the events, exportfile.go writes the file,
//	            exportperson.go has what is no list of events
//	dashboard.go
//	            links that open the dashboard
//	reportmail.go
//	            prints a report as one mail
//	import.go   imports what other tools have recorded
//	repair.go keys.go geo.go bench.go healthcheck.go version.go
//	            the commands of these names
//	describe.go asks all commands for their flags, for completion.go (scripts for shells) and man.go
//	            (the manual page)
//	roots.go    certificates of authorities, for systems without any
//	doctor_linux.go doctor_other.go directory_unix.go directory_other.go umask.go
//	            what a system says of directories, and which modes new files have
package cli
