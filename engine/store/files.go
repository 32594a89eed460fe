// Files: how many files the process may have open, and who gets how many.

package store

// FilePlan divides the files that a process may have open at the same time.
type FilePlan struct {
	Limit  int // of the process; 0 = not known
	Tables int // tables that Pebble keeps open
	Conns  int // connections of clients; they get what the store leaves
}

// otherFiles are the files that are neither Pebble's tables nor connections: the tables that
// Tables opens, the log, compactions under way, spilled pairs, snapshots, geo databases, and
// connections that are being turned away.
const otherFiles = TablesMax + 96

// Pebble keeps at least pebbleTablesMin tables open, and needs no more than pebbleTablesMax.
// connsMin are left for clients even where the limit is lower than all that: the gate then
// closes the longest silent one when the files run out.
const (
	pebbleTablesMin = 64
	pebbleTablesMax = 1000
	connsMin        = 16
)

// PlanFiles divides a limit of open files; 0 = there is none that is known.
func PlanFiles(limit int) FilePlan {
	if limit <= 0 {
		return FilePlan{Tables: pebbleTablesMax, Conns: 1 << 20}
	}
	rest := limit - otherFiles
	tables := min(max(rest/2, pebbleTablesMin), pebbleTablesMax)
	return FilePlan{Limit: limit, Tables: tables, Conns: max(rest-tables, connsMin)}
}
