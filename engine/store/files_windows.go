package store

// OpenFiles is the plan for this process. Windows has no limit that could be met.
func OpenFiles() FilePlan { return PlanFiles(0) }
