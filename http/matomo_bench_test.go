package httpd

import (
	"fmt"
	"strings"
	"testing"
)

// matomoHit is a page view as browsers send it; its visitor's id is to be filled in.
const matomoHit = "idsite=1&rec=1&r=381240&h=14&m=20&s=5&url=https%%3A%%2F%%2Fshop.example%%2Fproducts%%2F4711&urlref=https%%3A%%2F%%2Fwww.google.com%%2F&action_name=Teapots%%20%%2F%%20Green&_id=%016x&pv_id=a1B2c3&pf_net=12&pf_srv=80&pdf=1&cookie=1&res=1920x1080&dimension1=member"

const matomoAgent = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nAccept-Language: en-GB,en;q=0.5\r\n"

func BenchmarkMatomoPixel(b *testing.B) {
	withVisits(b, nil).flood(b, 64, 1, func(n uint64) string {
		return "GET /matomo.php?" + fmt.Sprintf(matomoHit, n/5) + " HTTP/1.1\r\nHost: localhost\r\n" + matomoAgent + "\r\n"
	})
}

func BenchmarkMatomoBulk200(b *testing.B) {
	withVisits(b, nil).flood(b, 64, 200, func(n uint64) string {
		var body strings.Builder
		body.WriteString(`{"requests":[`)
		for i := range uint64(200) {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `"?`+matomoHit+`"`, (200*n+i)/5)
		}
		body.WriteString(`]}`)
		return fmt.Sprintf("POST /matomo.php HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", matomoAgent, body.Len(), body.String())
	})
}
