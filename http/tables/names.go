package tables

import (
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file names values of fields, as the dashboard names them.

// What a value is called that is none, or empty.
const (
	noValue    = "(none)"
	direct     = "Direct"
	emptyValue = "“”"
	nothing    = "–" // where there is no number
)

// fieldName is the title of a field; "visit." before it changes nothing.
func fieldName(field string) string {
	if field = strings.TrimPrefix(field, "visit."); field == "" {
		return "Value"
	}
	return Safe(dialect.FieldTitle(field))
}

// tableTitle is the title of a table by a field.
func tableTitle(field string) string {
	if title := plurals[strings.TrimPrefix(field, "visit.")]; title != "" {
		return title
	}
	return "By " + lower(fieldName(field))
}

// lower begins a title with a small letter, unless it is short for something.
func lower(title string) string {
	if len(title) > 1 && title[1] >= 'a' && title[1] <= 'z' {
		return strings.ToLower(title[:1]) + title[1:]
	}
	return title
}

// valueName is a value of a field to people.
func valueName(field, value string) string {
	field = strings.TrimPrefix(field, "visit.")
	name := dialect.ValueName(field, value)
	switch field {
	case "weekday":
		name = weekdayName(value)
	case "hour":
		name = value + ":00"
	case "weekhour":
		if day, hour, ok := strings.Cut(value, "-"); ok {
			name = weekdayName(day) + " " + hour + ":00"
		}
	}
	if name == "" {
		return emptyValue
	}
	return Safe(name)
}

// weekdayName is Monday of "1".
func weekdayName(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 7 {
		return text
	}
	return time.Weekday(n % 7).String()
}
