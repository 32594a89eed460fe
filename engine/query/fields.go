// Fields and values: what there is to filter and break down by.

package query

// FieldsQuery asks for the fields of the rows in a range.
type FieldsQuery struct {
	Report        // without Where
	Search string // pattern of the name, see Rows.Search
	Limit  int
}

// FieldsMax is how many fields are told apart.
const FieldsMax = 4096

// FieldExamples is how many values of a field are shown.
const FieldExamples = 3

// FieldInfo is a field of which some run that touches the range has a value.
type FieldInfo struct {
	Field    string // as a filter names it
	Kind     string // core, context, property or extra
	About    uint64 // different cells of the run that has the most of them
	Numbers  bool   // some of the values that were looked at are numbers
	Examples []string
}

// FieldsAnswer is the fields in order of kind and name.
type FieldsAnswer struct {
	AsOf
	Fields []FieldInfo
	More   bool // there are more, or keys that are not told apart
}

// ValuesQuery asks for the values of a field with the most rows.
type ValuesQuery struct {
	Report
	Field string
	Rows  Rows
}
