package event

// Hit says where an event belongs in a visit. Dialects whose visits the engine tracks
// (Matomo) fill it. It is a question to the engine and never stored. The visitor is the
// event's user and anonymous id.
type Hit struct {
	Shown  string // what the request reveals of its visitor beside address and agent
	IDOnly bool   // find the visit by the id alone, not by Shown
	New    bool   // begin a new visit, even if one has not ended
	Ping   bool   // not an event: it only continues the visit, if there is one

	// Of goals and orders, which are stored only when they count.
	Once  bool  // a goal that counts once in a visit; Properties has its goal_id
	After int64 // a goal that counts after so many milliseconds of the visit
	Order bool  // an order: the site must not have one of the same name
}

// Fingerprint is the key of Extra under which the engine stores what a request reveals
// of its visitor, hashed with the salt of the day.
const Fingerprint = "fingerprint"
