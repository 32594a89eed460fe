package tables

// This file writes a report as text.

// Style is how a report is written as text. The zero Style is plain and as wide as it has to be.
type Style struct {
	Width    int  // columns of the terminal; 0 = no limit
	Color    bool // ANSI colours
	Draw     bool // bars, sparklines and graphs
	RowsMax  int  // of all tables together; 0 = no limit
	BytesMax int  // of the text; 0 = no limit
	TextMax  int  // characters of a cell; 0 = no limit
}

// Text writes the report: lines that end with \n. Where a limit leaves out rows, a line says how
// many there are more and, where the answer has pages, what asks for the next one. A text over
// BytesMax ends after a whole line.
func (r *Report) Text(s Style) string {
	return "" // the rest of this file comes
}
