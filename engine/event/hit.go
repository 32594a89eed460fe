package event

// Hit is what a dialect whose visits the engine keeps (Matomo) says of an event's
// place in one. It is a question to the engine and never stored; the event's user
// and anonymous id say who the visitor is.
type Hit struct {
	Shown  string // what the request shows of its visitor beside address and agent
	IDOnly bool   // the visit is looked for by the anonymous id alone
	New    bool   // a visit begins, whatever goes on
	Ping   bool   // no event: the visit goes on, if there is one

	// Of goals and orders, which are stored only where they count.
	Once  bool  // a goal that a visit reaches once: Properties has its goal_id
	After int64 // a goal that a visit reaches when it is longer than so many milliseconds
	Order bool  // an order: the site has one of its name

	// Set by the engine.
	Visitor string    // the id the visit is looked for by
	Prints  [2]string // what the request shows under the salts of its day and of the day before
	Day     [2]int64  // the bounds of the event's day in the site's zone, Unix milliseconds
}
