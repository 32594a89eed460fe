package httpd

import "testing"

// Whatever is asked below /tracking is answered in Oppizi's shape.
func TestOppiziUnknownPaths(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, c := range []struct {
		method, target, key string
		status              int
		body                string
	}{
		{"GET", "/tracking/nope", "shop-secret", 404, `{"success":false,"error":"Not Found"}`},
		{"GET", "/tracking", "shop-secret", 404, `{"success":false,"error":"Not Found"}`},
		{"POST", "/tracking/event", "shop-secret", 404, `{"success":false,"error":"Not Found"}`},
		{"GET", "/events/nope", "shop-secret", 404, `{"success":false,"error":"Not Found"}`},
		{"PUT", "/tracking/nope", "shop-secret", 405, `{"success":false,"error":"method not allowed"}`},
		{"GET", "/tracking/nope", "wrong", 401, `{"success":false,"error":"Unauthorized"}`},
		{"GET", "/tracking/nope/matomo.php", "shop-secret", 200, "This resource is part of Matomo."},
	} {
		a := s.send(c.method, c.target, `{"eventName":"a","value":1}`, "Authorization: Bearer "+c.key)
		if a.status != c.status || len(a.body) < len(c.body) || a.body[:len(c.body)] != c.body {
			t.Errorf("%s %s with %s: %d %q, want %d %q", c.method, c.target, c.key, a.status, a.body, c.status, c.body)
		}
	}
}
