// Package query holds the questions that can be asked of a site's events, the answers to
// them, and the errors that a read or a write can give. It is types alone: the engine
// answers them, and http asks with them, so that nothing is mirrored.
//
// # Where what is
//
//	question.go what is asked, and the bounds of a question
//	answer.go   what is told
//	errors.go   why there is no answer
//
// Times are Unix milliseconds. Days are dates, counted from 1970-01-01 in the site's zone.
// The texts of a question belong to the asker, who does not change them while it is
// answered. The texts of an answer belong to the asker as well: nothing in it points into
// memory that is used again.
package query
