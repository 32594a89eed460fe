package event

// Kind is the JSON type of a Value.
type Kind uint8

const (
	Absent Kind = iota // the zero Value: there is no value
	String
	Number
	Bool
	Null
	JSON // an array or object, as compact JSON text
)

// Value is one JSON value. Text is the content of a String, the exact literal of a
// Number, "true" or "false" of a Bool, the compact JSON text of an array or object, and
// "" of Null. The text may alias a request's buffer: nothing keeps it after Ingest.
type Value struct {
	Kind Kind
	Text string
}

// Str returns the string s.
func Str(s string) Value { return Value{String, s} }

// Num returns the number with this literal, which must be valid JSON.
func Num(literal string) Value { return Value{Number, literal} }

// Boolean returns true or false.
func Boolean(b bool) Value {
	if b {
		return Value{Bool, "true"}
	}
	return Value{Bool, "false"}
}

// Raw returns an array or object, given as compact and valid JSON.
func Raw(json string) Value { return Value{JSON, json} }

// Member is one key of an Object.
type Member struct {
	Key   string
	Value Value
}

// Object is a JSON object with distinct keys. The order has no meaning, and the store
// does not keep it.
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

// Set adds key or replaces its value.
func (o *Object) Set(key string, v Value) {
	for i := range *o {
		if (*o)[i].Key == key {
			(*o)[i].Value = v
			return
		}
	}
	*o = append(*o, Member{key, v})
}

// Delete removes key if it exists.
func (o *Object) Delete(key string) {
	for i := range *o {
		if (*o)[i].Key == key {
			*o = append((*o)[:i], (*o)[i+1:]...)
			return
		}
	}
}
