package backup

import "time"

// Tests wait less: keys are weak, retries are quick, and small files are cut.
func init() {
	scryptWork = 4
	retryFirst, retryMost, attemptWait = time.Millisecond, 20*time.Millisecond, time.Millisecond
	leaseRenew = 20 * time.Millisecond
	partMax = 20_000
}
