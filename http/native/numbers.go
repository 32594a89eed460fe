package native

import (
	"strconv"

	"cairn/engine/query"
)

// This file writes the numbers of reports: rounded from the exact quotient, half away from zero,
// without needless zeros. What is divided by nothing is null.

// appendRate appends ,"key":num/den with four digits, as rates are shown.
func appendRate(dst []byte, key string, num, den uint64) []byte {
	return appendQuotient(appendKey(dst, key), int64(num), int64(den), 4)
}

// appendMean appends ,"key":sum/n with so many digits: one for seconds and for a number a visit.
func appendMean(dst []byte, key string, sum, n int64, digits int) []byte {
	return appendQuotient(appendKey(dst, key), sum, n, digits)
}

// appendCount appends ,"key":n.
func appendCount(dst []byte, key string, n uint64) []byte {
	return strconv.AppendUint(appendKey(dst, key), n, 10)
}

// appendKey appends ,"key":
func appendKey(dst []byte, key string) []byte {
	return append(append(append(dst, ',', '"'), key...), '"', ':')
}

// appendQuotient appends num/den, null when den is 0. To have seconds from a sum of milliseconds,
// den is 1000 times their number. digits is at most 9.
func appendQuotient(dst []byte, num, den int64, digits int) []byte {
	if den == 0 {
		return append(dst, "null"...)
	}
	return query.AppendRatio(dst, num, den, digits)
}
