// Package mail makes one mail of a report: a message of RFC 5322 with a part of plain text and a part
// of HTML, for whoever hands it to a mail program such as sendmail.
//
// Texts of events come from strangers. A report holds them as safe texts (see tables.Safe), and no
// header has one but the subject, which is encoded. The HTML is what mail programs show: tables and
// inline styles, bars that are cells, no picture, and no link but that to the dashboard.
//
//   - message.go: the message, and its parts
//   - header.go: lines of the header: addresses, encoded words, folding
//   - subject.go: the subject, and ranges in words
//   - html.go, mail.html: the part of HTML
package mail
