// Package tables turns the JSON answer of a question of http/native into what people read: numbers
// with their change, series, and tables with columns of known kinds. A Report is data; Text writes
// it for a terminal or as plain text, and others make HTML of it.
//
// Texts of events come from strangers. Every text of a Report is safe (see Safe): it has no control
// character, no escape of a terminal, nothing that turns the direction of a line and nothing that
// cannot be seen. It is not escaped for HTML.
//
//   - report.go: Report and what it is made of
//   - read.go: the report of an answer, and what all answers have
//   - rowtable.go: a table of the rows of an answer
//   - shapes.go, funnels.go, people.go, shop.go, now.go: the answers of each question
//   - overview.go: the first screen of the dashboard, from three answers
//   - metrics.go: the numbers, how they are called and what kind they are
//   - names.go: how countries, channels and other codes are called
//   - format.go: how numbers, changes, durations and times are written
//   - screen.go: the screen of the dashboard that shows the same
//   - safe.go: texts of strangers
//   - width.go: how wide a text is on a terminal
//   - rows.go: the rows of an answer as they were sent
//   - text.go, texttable.go, grid.go: a report as text, its tables, and columns in the room there is
//   - chart.go: bars, sparklines and graphs
package tables
