// The Go SDK of Segment: every call once.
package main

import (
	"log"
	"os"

	"github.com/segmentio/analytics-go/v3"
)

func main() {
	client, err := analytics.NewWithConfig(os.Getenv("WRITE_KEY"), analytics.Config{Endpoint: os.Getenv("URL"), BatchSize: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range []analytics.Message{
		analytics.Identify{UserId: "ada", AnonymousId: "dev1", Traits: analytics.NewTraits().Set("plan", "pro")},
		analytics.Track{UserId: "ada", Event: "Order Completed", Properties: analytics.NewProperties().SetRevenue(49.9)},
		analytics.Page{UserId: "ada", Name: "Home"},
		analytics.Screen{UserId: "ada", Name: "Main"},
		analytics.Group{UserId: "ada", GroupId: "acme", Traits: analytics.NewTraits().SetName("Acme")},
		analytics.Alias{UserId: "ada@example.org", PreviousId: "ada"},
	} {
		if err := client.Enqueue(m); err != nil {
			log.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
}
