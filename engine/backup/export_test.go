package backup

import "time"

// Tests wait less: keys are weak, retries are quick, and small files are cut.
func init() {
	scryptWork = 4
	retryFirst, retryMost, attemptWait = time.Millisecond, 20*time.Millisecond, time.Millisecond
	leaseRenew = 20 * time.Millisecond
	partMax = 20_000
}

// SmallObjects makes objects of the log with few rows, until restore is called.
func SmallObjects(raw int64) (restore func()) {
	was := objectRaw
	objectRaw = raw
	return func() { objectRaw = was }
}
