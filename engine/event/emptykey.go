package event

// MoveEmptyKeys takes the empty keys out of an event of a dialect whose clients may send
// them: the store has no name for such a property. The value stays in Extra, as the member ""
// of an object called field, which is the vendor's name for the properties. Extra itself
// cannot keep one.
func MoveEmptyKeys(e *Event, field string) {
	e.Extra.Delete("")
	for i := range e.Properties {
		if e.Properties[i].Key != "" {
			continue
		}
		if e.Extra.Get(field).Kind == Absent {
			e.Extra.Set(field, Raw(string(AppendObject(nil, e.Properties[i:i+1]))))
		}
		e.Properties = append(e.Properties[:i], e.Properties[i+1:]...)
		return // a parser leaves no key twice
	}
}
