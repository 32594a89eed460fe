package backup

// Weak keys are made at once, so that tests need not wait for scrypt.
func init() { scryptWork = 4 }
