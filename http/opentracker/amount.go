package opentracker

// This file reads the amount at the end of a value:
//
//	value = base [ "[" sign 1*18DIGIT "]" ]
//	sign  = "+" / "-" / SP
//
// The space is a plus: "[+10]" written raw in a form decodes to "[ 10]".

// splitAmount splits a value into its base and its amount. Without an amount by is 1 and
// found is false; text that is not an amount is part of the base. The amount may be beyond
// amountMax.
func splitAmount(value string) (base string, by int64, found bool) {
	end := len(value) - 1
	if end < 3 || value[end] != ']' {
		return value, 1, false
	}
	start := end
	for start > 0 && '0' <= value[start-1] && value[start-1] <= '9' {
		start--
	}
	if start == end || end-start > 18 || start < 2 || value[start-2] != '[' {
		return value, 1, false
	}
	for _, digit := range value[start:end] {
		by = by*10 + int64(digit-'0')
	}
	switch value[start-1] {
	case '+', ' ':
	case '-':
		by = -by
	default:
		return value, 1, false
	}
	return value[:start-2], by, true
}
