package native

import (
	"errors"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// filterIn reads a parameter that is itself a filter: a query string of plain filters.
func filterIn(param, text string) ([]query.Cond, error) {
	q, err := parseQuery(text, filterParams)
	var status *dialect.StatusError
	switch {
	case errors.As(err, &status):
		return nil, badField(param, status.Msg)
	case err != nil:
		return nil, err
	case len(q.where) == 0:
		return nil, badField(param, "must be a filter, such as name%3Dsignup%26prop.plan%3Dpro")
	}
	return q.where, nil
}
