package event

// Kind is the JSON type of a Value.
type Kind uint8

const (
	Absent Kind = iota // the zero Value: not there at all
	String
	Number
	Bool
	Null
	JSON // an array or object, as compact JSON text
)

// Value is one JSON value. Text is the content of a String, the exact literal of
// a Number, "true" or "false" of a Bool, the compact JSON text of an array or
// object, "" of Null. The text may alias a request's buffer: nothing keeps it
// past Ingest.
type Value struct {
	Kind Kind
	Text string
}

// Str, Num, Boolean and Raw make Values. Num takes a valid JSON number literal,
// Raw a valid compact JSON array or object.
func Str(s string) Value { return Value{String, s} }

// Num is the number with this literal.
func Num(literal string) Value { return Value{Number, literal} }

// Boolean is true or false.
func Boolean(b bool) Value {
	if b {
		return Value{Bool, "true"}
	}
	return Value{Bool, "false"}
}

// Raw is an array or object given as compact, valid JSON.
func Raw(json string) Value { return Value{JSON, json} }

// Member is one key of an Object.
type Member struct {
	Key   string
	Value Value
}

// Object is a JSON object whose keys are distinct. Order has no meaning and is
// not kept by the store.
type Object []Member

// Get returns the value of key, Absent when there is none.
func (o Object) Get(key string) Value {
	for i := range o {
		if o[i].Key == key {
			return o[i].Value
		}
	}
	return Value{}
}

// Set replaces or adds key.
func (o *Object) Set(key string, v Value) {
	for i := range *o {
		if (*o)[i].Key == key {
			(*o)[i].Value = v
			return
		}
	}
	*o = append(*o, Member{key, v})
}

// Delete removes key if it is there.
func (o *Object) Delete(key string) {
	for i := range *o {
		if (*o)[i].Key == key {
			*o = append((*o)[:i], (*o)[i+1:]...)
			return
		}
	}
}
