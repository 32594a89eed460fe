package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
)

// This file makes the worst events that a stranger can send: deep or wide ones, with
// long keys, long numbers or many ids. It writes each of them in the form of each
// dialect. FuzzHostile sends small ones, TestHostile large ones.

// hostileShape describes a number of similar events.
type hostileShape struct {
	Way     hostileWay
	Kind    hostileKind
	Events  int         // how many
	Depth   int         // nested objects around the leaves
	Key     int         // bytes of the key of each of these objects
	Letters hostileText // what keys are made of
	Leaves  hostileLeaves
	Count   int // leaves of one event
	Length  int // bytes of a text, digits of a number, or its exponent
	ID      int // least bytes of each id; 0 = events without a user
	Order   hostileOrder
	Prefix  byte // first byte of each id
	Repeat  int  // message ids repeat after so many events; 0 = no message ids
	Fresh   bool // no two events share a leaf
	Fit     bool // the shape is reduced until the dialect accepts it
	Body    int  // largest request in bytes; 0 = what the dialect accepts
}

// hostileKind is what an event does. A dialect without a kind tracks instead.
type hostileKind int

const (
	hostileTrack hostileKind = iota
	hostilePage
	hostileScreen
	hostileIdentify // with both ids, so it links them
	hostileIncrement
	hostileDecrement
	hostileGroup
	hostileAlias
	hostileRead // questions about the site instead of events
	hostileKinds
)

// hostileLeaves is what the innermost object holds.
type hostileLeaves int

const (
	leafNumbers  hostileLeaves = iota // an array of different numbers
	leafNames                         // one object of new names
	leafObjects                       // an array of objects of 250 new names each
	leafSame                          // the same small object many times
	leafTexts                         // an array of different texts of Length bytes
	leafDigits                        // numbers of Length digits
	leafExponent                      // numbers with an exponent of ±Length
	leafEmpty                         // objects whose only key is empty
	leafUnicode                       // texts that few programs expect
	leafKinds
)

// hostileText is the letters that keys consist of.
type hostileText int

const (
	textPlain   hostileText = iota
	textWide                // four bytes each
	textMarks               // combining marks and changes of direction
	textEscapes             // control characters and halves of surrogates, as JSON escapes them
	textKinds
)

// hostileOrder says which ids an event names.
type hostileOrder int

const (
	orderPairs hostileOrder = iota // event n links two ids that no other event names
	orderUp                        // event n links id n+1 to id n
	orderDown                      // the same, last to first
	orderStar                      // each id to one, last to first
	orderOne                       // all events name the same id
	orderKinds
)

// hostileWay is one way into the server.
type hostileWay int

const (
	wayArray hostileWay = iota
	wayLines
	waySegmentBatch
	waySegment
	wayOpenPanel
	wayMatomoBulk
	wayMatomo
	wayOpentracker
	wayOpentrackerJSON
	wayOppizi
	wayCount
)

// hostileWays says what each way accepts at most, and how an event and a request are
// written. A request is open, the events with between in the middle, and close.
var hostileWays = [wayCount]struct {
	name                  string
	events                int // of a request
	eventBytes, bodyBytes int
	depth, key, count     int // of one event
	open, between, close  string
	event                 func(b []byte, s *hostileShape, k *config.SiteKeys, n int) []byte
	send                  func(k *config.SiteKeys, s *hostileShape, body []byte) hostileRequest
}{
	wayArray:           {"native, array", 10_000, 32 << 10, 8 << 20, 28, 128, 1 << 16, "[", ",", "]", appendNative, sendNative("application/json")},
	wayLines:           {"native, NDJSON", 10_000, 32 << 10, 8 << 20, 28, 128, 1 << 16, "", "\n", "", appendNative, sendNative(bench.NDJSON)},
	waySegmentBatch:    {"Segment batch", 10_000, 15 << 10, 499_000, 28, 128, 1 << 16, `{"batch":[`, ",", "]}", appendSegment, sendSegment("/v1/batch")},
	waySegment:         {"Segment, single", 1, 15 << 10, 15 << 10, 28, 128, 1 << 16, "", "", "", appendSegment, sendSegment("")},
	wayOpenPanel:       {"OpenPanel", 1, 255_000, 3 << 20, 28, 160, 1 << 16, "", "", "", appendOpenPanel, sendOpenPanel},
	wayMatomoBulk:      {"Matomo bulk", 10_000, 200_000, 8 << 20, 1, 160, 1000, `{"requests":[`, ",", "]}", appendMatomoEntry, sendMatomoBulk},
	wayMatomo:          {"Matomo pixel", 1, 32 << 10, 32 << 10, 1, 160, 100, "", "", "", appendMatomo, sendMatomo},
	wayOpentracker:     {"Opentracker", 1, 32 << 10, 32 << 10, 1, 128, 250, "", "", "", appendOpentracker, sendOpentracker},
	wayOpentrackerJSON: {"Opentracker JSON", 1, 1 << 20, 1 << 20, 1, 128, 250, "", "", "", appendOpentrackerJSON, sendOpentrackerJSON},
	wayOppizi:          {"Oppizi", 1, 255_000, 256 << 10, 1, 160, 5000, "", "", "", appendOppizi, sendOppizi},
}

// fitted returns s within the limits of its dialect, if Fit is set.
func (s hostileShape) fitted(k *config.SiteKeys) *hostileShape {
	if !s.Fit {
		return &s
	}
	w := &hostileWays[s.Way]
	s.Depth, s.Key, s.Count = min(s.Depth, w.depth), min(s.Key, w.key), min(s.Count, w.count)
	for {
		n := len(w.event(nil, &s, k, s.Events-1))
		switch {
		case n <= w.eventBytes:
			return &s
		case s.Count > 1:
			s.Count = max(min(s.Count*w.eventBytes/n, s.Count-1)*15/16, 1)
		case s.Length > 1:
			s.Length = max(min(s.Length*w.eventBytes/n, s.Length-1)*15/16, 1)
		default:
			return &s
		}
	}
}

// requests returns the requests with the events of s. None is longer than the dialect
// accepts, unless a single event is.
func (s hostileShape) requests(k *config.SiteKeys) iter.Seq[hostileRequest] {
	if s.Kind == hostileRead {
		return s.reads(k)
	}
	w := &hostileWays[s.Way]
	return func(yield func(hostileRequest) bool) {
		s := s.fitted(k)
		most := w.bodyBytes
		if s.Body > 0 {
			most = min(most, s.Body)
		}
		var body []byte
		for n, events := 0, 0; n < s.Events; n++ {
			start := len(body)
			if events == 0 {
				body = append(body, w.open...)
			} else {
				body = append(body, w.between...)
			}
			body = w.event(body, s, k, n)
			if events++; events < w.events && n+1 < s.Events && len(body)+(len(body)-start)+64 < most {
				continue
			}
			if !yield(w.send(k, s, append(body, w.close...))) {
				return
			}
			body, events = nil, 0 // the request has it
		}
	}
}

// reads ask for what the events of s made expensive: single people, pages, counts. The
// list of all counted properties is not among them. It reads each row for each name, so
// a store with many of both stops it after 10 s, as it stops every query.
func (s hostileShape) reads(k *config.SiteKeys) iter.Seq[hostileRequest] {
	header := []string{"Authorization: Bearer " + k.ReadKey}
	return func(yield func(hostileRequest) bool) {
		for n := range s.Events {
			user, _ := s.ids(n)
			paths := []string{"/api/v1/users/" + url.PathEscape(user)}
			if n == s.Events-1 {
				paths = append(paths, "/api/v1/users?limit=100", "/api/v1/events?limit=100", "/api/v1/count", "/api/v1/counters?property=p")
			}
			for _, path := range paths {
				if !yield(hostileRequest{method: "GET", path: path, header: header}) {
					return
				}
			}
		}
	}
}

// ids returns the two ids of event n: the user's, and the one that becomes the user's.
func (s *hostileShape) ids(n int) (user, other string) {
	if s.ID == 0 {
		return "", ""
	}
	id := func(prefix string, n int) string {
		number := strconv.Itoa(n)
		return prefix + strings.Repeat("0", max(0, s.ID-len(prefix)-len(number))) + number
	}
	p := string('a' + rune(s.Prefix%26))
	switch s.Order {
	case orderUp:
		return id(p, n), id(p, n+1)
	case orderDown:
		return id(p, s.Events-n-1), id(p, s.Events-n)
	case orderStar:
		return id(p, 0), id(p, s.Events-n)
	case orderOne:
		return id(p, 0), id(p, 0)
	}
	return id(p, n), id(p+"x", n)
}

// messageID returns the message id of event n, "" for none.
func (s *hostileShape) messageID(n int) string {
	if s.Repeat == 0 {
		return ""
	}
	return "m" + strconv.Itoa(n%s.Repeat)
}

// order returns the id of an order. A site accepts each id once.
func (s *hostileShape) order(n int) string {
	return fmt.Sprintf("o%d-%d-%d-%d-%d", s.Way, s.Kind, s.Leaves, s.Prefix, n)
}

// leaf returns leaf i of event n: its name if it has one, and its JSON.
func (s *hostileShape) leaf(n, i int) (name, literal string) {
	x := i
	if s.Fresh {
		x += n * s.Count
	}
	switch s.Leaves {
	case leafNames, leafObjects:
		return "p" + strconv.FormatInt(int64(x), 36), "1"
	case leafSame:
		return "", `{"a":1,"b":1}`
	case leafTexts:
		number := strconv.Itoa(x)
		return "", `"` + strings.Repeat("t", max(0, s.Length-len(number))) + number + `"`
	case leafDigits:
		return "", "0." + strings.Repeat("1", max(1, s.Length-2)) + strconv.Itoa(x%9+1)
	case leafExponent:
		return "", strconv.Itoa(x+1) + "e" + [2]string{"", "-"}[i%2] + strconv.Itoa(s.Length)
	case leafEmpty:
		return "", `{"":` + strconv.Itoa(x) + `}`
	case leafUnicode:
		odd := [...]string{`\u0000`, `\ud800`, `\udfff\ud800`, "\u202e", "e\u0301\u0301", "\ufeff", "\uffff", "👩‍👩‍👧‍👦", "\u2028", "ﷺ", "İ", "ẞ"}
		return "", `"` + odd[i%len(odd)] + strconv.Itoa(x) + `"`
	}
	return "", strconv.Itoa(10_000 + x)
}

// letters returns a key of at least n bytes as JSON.
func (s *hostileShape) letters(n int) string {
	switch s.Letters {
	case textWide:
		return strings.Repeat("𝔨", (n+3)/4)
	case textMarks:
		return strings.Repeat("\u202ee\u0301", (n+5)/6)
	case textEscapes:
		return strings.Repeat(`\u0001\ud800`, (n+3)/4)
	}
	return strings.Repeat("k", n)
}

// appendProperties appends the properties of event n, a JSON object.
func (s *hostileShape) appendProperties(b []byte, n int) []byte {
	depth := s.Depth
	if s.Leaves != leafNames {
		depth = max(depth, 1)
	}
	key := `{"` + s.letters(s.Key) + `":`
	if s.Key == 0 && s.Leaves != leafEmpty {
		key = `{"p":`
	}
	for range depth {
		b = append(b, key...)
	}
	const members = 250 // of one object; more are refused
	switch s.Leaves {
	case leafNames:
		b = append(b, '{')
	case leafObjects:
		b = append(b, "[{"...)
	default:
		b = append(b, '[')
	}
	for i := range s.Count {
		switch {
		case i > 0 && i%members == 0 && s.Leaves == leafObjects:
			b = append(b, "},{"...)
		case i > 0:
			b = append(b, ',')
		}
		name, literal := s.leaf(n, i)
		if name != "" {
			b = append(append(append(b, '"'), name...), `":`...)
		}
		b = append(b, literal...)
	}
	switch s.Leaves {
	case leafNames:
		b = append(b, '}')
	case leafObjects:
		b = append(b, "}]"...)
	default:
		b = append(b, ']')
	}
	return append(b, strings.Repeat("}", depth)...)
}

// flat yields the leaves of event n as names and texts, for dialects without nested
// values. Each has a name of its own, of the length Key.
func (s *hostileShape) flat(n int) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := range s.Count {
			name, literal := s.leaf(n, i)
			if name == "" {
				name = "p" + strconv.Itoa(i)
			}
			if s.Key > len(name) {
				name = s.letters(s.Key-len(name)) + name
			}
			if !yield(name, strings.Trim(literal, `"`)) {
				return
			}
		}
	}
}

// value returns the number of an increment as JSON.
func (s *hostileShape) value(n int) string {
	if s.Leaves == leafDigits || s.Leaves == leafExponent {
		_, literal := s.leaf(n, 0)
		return literal
	}
	return strconv.Itoa(n + 1)
}

// appendField appends ,"key":"text", or nothing for "".
func appendField(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return append(append(append(append(b, `,"`...), key...), `":"`...), text+`"`...)
}

func appendNative(b []byte, s *hostileShape, _ *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	typ := [...]string{"track", "page", "screen", "identify", "increment", "increment", "group", "alias"}[s.Kind]
	b = append(append(append(b, `{"type":"`...), typ...), '"')
	b = appendField(b, "message_id", s.messageID(n))
	b = appendField(b, "user", user)
	switch s.Kind {
	case hostileIdentify:
		b = appendField(b, "anonymous", other)
	case hostileAlias:
		return append(appendField(b, "previous", other), '}')
	case hostileGroup:
		b = append(b, `,"groups":["g`+strconv.Itoa(n)+`"]`...)
	case hostileIncrement:
		return append(b, `,"name":"n","value":`+s.value(n)+`}`...)
	case hostileDecrement:
		return append(b, `,"name":"n","value":-`+s.value(n)+`}`...)
	default:
		b = append(b, `,"name":"e"`...)
	}
	if s.Count > 0 {
		b = s.appendProperties(append(b, `,"properties":`...), n)
	}
	return append(b, '}')
}

func appendSegment(b []byte, s *hostileShape, _ *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	typ := [...]string{"track", "page", "screen", "identify", "track", "track", "group", "alias"}[s.Kind]
	b = append(append(append(b, `{"type":"`...), typ...), '"')
	b = appendField(b, "messageId", s.messageID(n))
	if user == "" {
		user = "someone"
	}
	b = appendField(b, "userId", user)
	bag := "properties"
	switch s.Kind {
	case hostileIdentify:
		b, bag = appendField(b, "anonymousId", other), "traits"
	case hostileAlias:
		return append(appendField(b, "previousId", other), '}')
	case hostileGroup:
		b, bag = append(b, `,"groupId":"g`+strconv.Itoa(n)+`"`...), "traits"
	case hostilePage, hostileScreen:
		b = append(b, `,"name":"e"`...)
	case hostileIncrement, hostileDecrement:
		return append(b, `,"event":"e","properties":{"revenue":`+s.value(n)+`,"n":`+s.value(n)+`}}`...)
	default:
		b = append(b, `,"event":"e"`...)
	}
	if s.Count > 0 {
		b = s.appendProperties(append(append(append(b, `,"`...), bag...), `":`...), n)
	}
	return append(b, '}')
}

func appendOpenPanel(b []byte, s *hostileShape, _ *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	typ := [...]string{"track", "track", "track", "identify", "increment", "decrement", "group", "alias"}[s.Kind]
	name := [...]string{"e", "screen_view", "screen_view", "", "", "", "", ""}[s.Kind]
	b = append(append(append(b, `{"type":"`...), typ...), `","payload":{"x":0`...)
	b = appendField(appendField(b, "name", name), "profileId", user)
	switch s.Kind {
	case hostileAlias:
		return append(appendField(b, "alias", other), "}}"...)
	case hostileIncrement, hostileDecrement:
		return append(b, `,"property":"n","value":`+s.value(n)+`}}`...)
	case hostileGroup:
		b = append(b, `,"id":"g`+strconv.Itoa(n)+`","type":"t","name":"n"`...)
	}
	if s.Count > 0 {
		b = s.appendProperties(append(b, `,"properties":`...), n)
	}
	return append(b, "}}"...)
}

// appendMatomo appends the query of a hit. The leaves are custom variables and
// dimensions; those of a group are the products of an order.
func appendMatomo(b []byte, s *hostileShape, k *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	b = append(b, "idsite="+strconv.Itoa(int(k.ID))+"&rec=1"...)
	if user != "" {
		b = append(b, "&uid="+user...)
		if len(other) > 16 {
			other = other[len(other)-16:]
		}
		// An id of Matomo has 16 hex digits.
		b = append(b, fmt.Sprintf("&_id=%x", fmt.Appendf(nil, "%08s", other[max(0, len(other)-8):]))...)
	}
	switch s.Kind {
	case hostilePage, hostileScreen:
		b = append(b, "&action_name=p"...)
	case hostileIncrement, hostileDecrement:
		return append(b, "&idgoal=0&ec_id="+s.order(n)+"&revenue="+s.value(n)+"&e_v="+s.value(n)...)
	case hostileGroup:
		items := []byte{'['}
		for name, value := range s.flat(n) {
			if len(items) > 1 {
				items = append(items, ',')
			}
			items = append(items, `["`+value+`","`+name+`","c",1,1]`...)
		}
		items = append(items, ']')
		return append(b, "&idgoal=0&ec_id="+s.order(n)+"&revenue=1&ec_items="+url.QueryEscape(string(items))...)
	default:
		b = append(b, "&e_c=c&e_a=a&e_n=e"...)
	}
	i := 0
	variables := [2][]byte{}
	for name, value := range s.flat(n) {
		if i++; i <= 10 { // Matomo has five of each kind
			v := &variables[(i-1)/5]
			*v = append(*v, fmt.Sprintf(`,"%d":["%s","%s"]`, (i-1)%5+1, name, value)...)
		} else {
			b = append(b, fmt.Sprintf("&dimension%d=%s", i-10, url.QueryEscape(value))...)
		}
		if i >= 110 {
			break
		}
	}
	for at, name := range []string{"cvar", "_cvar"} {
		if v := variables[at]; len(v) > 0 {
			b = append(b, "&"+name+"="+url.QueryEscape("{"+string(v[1:])+"}")...)
		}
	}
	return b
}

func appendMatomoEntry(b []byte, s *hostileShape, k *config.SiteKeys, n int) []byte {
	return append(appendMatomo(append(b, `"?`...), s, k, n), '"')
}

func appendOpentracker(b []byte, s *hostileShape, k *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	b = append(b, "si="+k.Name+"&ti=e"...)
	if user != "" {
		b = append(b, "&uid="+user...)
	}
	if s.Kind == hostileIdentify {
		b = append(b, fmt.Sprintf("&otui=%s.1700000000.1.1.1.1", digitsOf(other))...)
	}
	if id := s.messageID(n); id != "" {
		b = append(b, "&eid="+id...)
	}
	if s.Kind == hostileIncrement || s.Kind == hostileDecrement {
		b = append(b, "&n=v"+url.QueryEscape("["+[2]string{"+", "-"}[s.Kind-hostileIncrement]+s.value(n)+"]")...)
	}
	for name, value := range s.flat(n) {
		b = append(append(append(b, '&'), url.QueryEscape(name)...), '=')
		b = append(b, url.QueryEscape(value)...)
	}
	return b
}

func appendOpentrackerJSON(b []byte, s *hostileShape, k *config.SiteKeys, n int) []byte {
	user, other := s.ids(n)
	b = append(b, `{"si":"`+k.Name+`","ti":"e"`...)
	b = appendField(appendField(b, "uid", user), "eid", s.messageID(n))
	if s.Kind == hostileIdentify {
		b = appendField(b, "otui", digitsOf(other)+".1700000000.1.1.1.1")
	}
	if s.Kind == hostileIncrement || s.Kind == hostileDecrement {
		b = append(b, `,"n":`+s.value(n)...)
	}
	for name, value := range s.flat(n) {
		quoted, _ := json.Marshal(value)
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = append(b, quoted...)
	}
	return append(b, '}')
}

// digitsOf returns the digits of an id.
func digitsOf(id string) string {
	return "1" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, id[max(0, len(id)-15):])
}

// appendOppizi spreads the leaves over arrays of 100, the most that an entry accepts.
func appendOppizi(b []byte, s *hostileShape, _ *config.SiteKeys, n int) []byte {
	user, _ := s.ids(n)
	b = append(b, `{"eventName":"e","value":`+s.value(n)...)
	b = append(appendField(b, "userId", user), `,"metadata":{`...)
	for i := range s.Count {
		if i%100 == 0 {
			if i > 0 {
				b = append(b, "],"...)
			}
			name := strconv.Itoa(i / 100)
			if own, _ := s.leaf(n, i); own != "" {
				name = own
			}
			b = append(b, `"`+s.letters(max(0, s.Key-4))+name+`":[`...)
		} else {
			b = append(b, ',')
		}
		_, literal := s.leaf(n, i)
		b = append(b, literal...)
	}
	if s.Count > 0 {
		b = append(b, ']')
	}
	return append(b, "}}"...)
}

// hostileRequest is one request, without the parts that belong to its connection.
type hostileRequest struct {
	method, path string
	header       []string // "Name: value"
	body         []byte
}

func sendNative(contentType string) func(*config.SiteKeys, *hostileShape, []byte) hostileRequest {
	return func(k *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
		return hostileRequest{"POST", "/api/v1/events", []string{"Authorization: Bearer " + k.WriteKey, "Content-Type: " + contentType}, body}
	}
}

func sendSegment(path string) func(*config.SiteKeys, *hostileShape, []byte) hostileRequest {
	return func(k *config.SiteKeys, s *hostileShape, body []byte) hostileRequest {
		path := path
		if path == "" {
			path = [...]string{"/v1/track", "/v1/page", "/v1/screen", "/v1/identify", "/v1/track", "/v1/track", "/v1/group", "/v1/alias"}[s.Kind]
		}
		return hostileRequest{"POST", path + "?writeKey=" + k.WriteKey, []string{"Content-Type: text/plain"}, body}
	}
}

// hostileOrigin is the origin of the pages of the site that a stranger writes to.
const hostileOrigin = "https://shop.example"

func sendOpenPanel(k *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"POST", "/track", []string{"openpanel-client-id: " + k.ClientID, "Origin: " + hostileOrigin, "Content-Type: application/json"}, body}
}

func sendMatomoBulk(_ *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"POST", "/matomo.php", []string{"Content-Type: application/json"}, body}
}

func sendMatomo(_ *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"GET", "/matomo.php?" + string(body), nil, nil}
}

func sendOpentracker(_ *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"GET", "/?" + string(body), nil, nil}
}

func sendOpentrackerJSON(_ *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"POST", "/opentracker", []string{"Content-Type: application/json"}, body}
}

func sendOppizi(k *config.SiteKeys, _ *hostileShape, body []byte) hostileRequest {
	return hostileRequest{"POST", "/tracking/events", []string{"Authorization: Bearer " + k.WriteKey, "Content-Type: application/json"}, body}
}

// strangerConn is a connection of a client that sends whatever it is given. It is not
// safe for concurrent use.
type strangerConn struct {
	addr     string
	deadline time.Time // for everything; zero = none
	c        net.Conn
	r        *bufio.Reader
	out      bytes.Buffer
}

func (s *strangerConn) close() {
	if s.c != nil {
		s.c.Close()
		s.c = nil
	}
}

// do sends a request, reads the answer and returns the beginning of its body. If the
// server has closed the connection since the last answer, do sends the request over a
// new one.
func (s *strangerConn) do(r hostileRequest) (status int, answer string, err error) {
	used := s.c != nil
	status, answer, err = s.try(r)
	if err != nil && used && (s.deadline.IsZero() || time.Now().Before(s.deadline)) {
		status, answer, err = s.try(r)
	}
	return status, answer, err
}

func (s *strangerConn) try(r hostileRequest) (status int, answer string, err error) {
	if s.c == nil {
		if s.c, err = net.DialTimeout("tcp", s.addr, 5*time.Second); err != nil {
			s.c = nil
			return 0, "", err
		}
		s.c.SetDeadline(s.deadline)
		s.r = bufio.NewReader(s.c)
	}
	s.out.Reset()
	fmt.Fprintf(&s.out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n", r.method, r.path, s.addr)
	for _, h := range r.header {
		s.out.WriteString(h + "\r\n")
	}
	if r.method == "POST" {
		fmt.Fprintf(&s.out, "Content-Length: %d\r\n", len(r.body))
	}
	s.out.WriteString("\r\n")
	s.out.Write(r.body)
	// A server that refuses a body may answer before it has received all of it.
	_, werr := s.c.Write(s.out.Bytes())
	res, err := http.ReadResponse(s.r, &http.Request{Method: r.method})
	if err != nil {
		s.close()
		if werr != nil {
			err = werr
		}
		return 0, "", err
	}
	head, err := io.ReadAll(io.LimitReader(res.Body, 300))
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	res.Body.Close()
	if err != nil || werr != nil || res.Close {
		s.close()
	}
	return res.StatusCode, string(bytes.TrimSpace(head)), err
}
