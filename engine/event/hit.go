package event

// Hit is what a dialect whose visits the engine keeps (Matomo) says of an event's
// place in one. It is a question to the engine and never stored; who the visitor is
// the event's user and anonymous id say.
type Hit struct {
	Shown  string // what the request shows of its visitor beside address and agent
	IDOnly bool   // the visit is looked for by the id alone, not by what is shown
	New    bool   // a visit begins, whatever goes on
	Ping   bool   // no event: the visit goes on, if there is one

	// Of goals and orders, which are stored only where they count.
	Once  bool  // a goal that a visit reaches once: Properties has its goal_id
	After int64 // a goal of visits longer than so many milliseconds
	Order bool  // an order: the site has one of its name

	// Set by the engine.
	Before string   // the event's fingerprint under the salt of the day before; "" = none
	Day    [2]int64 // the bounds of its day in the site's zone, Unix milliseconds
}

// Fingerprint is the key of Extra under which the engine keeps what a request shows
// of its visitor, hashed under the salt of the day.
const Fingerprint = "fingerprint"
