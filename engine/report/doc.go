// Package report computes the reports of the read API: visits, pages, funnels and others. It
// reads rows through the types of engine/read (Rows, Selection, Slice, Field) and answers with
// the types of engine/query.
//
// # Words
//
//   - A page view is a row of type page or screen. An action is a row of type page, screen,
//     track, download, outlink or search.
//   - A session is the rows with the same session ordinal, which is the seq of its first row.
//     A visit is a session with at least one action. It begins at the time of that first row.
//   - A report over a span sees the rows in the span alone. A visit counts when its first row
//     is among them. So a closed span never changes by later traffic, and days sum up to weeks.
//   - The visitor of a visit is the person of its first row that has one.
package report
