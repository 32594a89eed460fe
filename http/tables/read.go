package tables

import (
	"net/url"

	"cairn/http/native"
)

// Read makes the report of an answer: the JSON that a question gave for a query. The error says
// that the answer is not one of that question.
func Read(q *native.Question, query url.Values, answer []byte, o Options) (*Report, error) {
	return &Report{Name: q.Name}, nil // the rest of this file comes
}

// Overview asks what the first screen of the dashboard shows: the numbers of visits, their days, and
// the tables channel, page, country, browser and name. query has what people ask for, of the
// parameters that OverviewParams gives.
func Overview(ask Ask, query url.Values, o Options) (*Report, error) {
	return &Report{Name: "overview"}, nil // the rest of this file comes
}

// OverviewParams are the parameters of the overview.
func OverviewParams() []native.Param { return nil }
