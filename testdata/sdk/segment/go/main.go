// The Go SDK of Segment: every call once; or COUNT track calls.
package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"github.com/segmentio/analytics-go/v3"
)

// delivered counts what the SDK has got rid of.
type delivered chan error

func (d delivered) Success(analytics.Message)            { d <- nil }
func (d delivered) Failure(_ analytics.Message, e error) { d <- e }

func main() {
	count, _ := strconv.Atoi(os.Getenv("COUNT"))
	done := make(delivered, count+10)
	client, err := analytics.NewWithConfig(os.Getenv("WRITE_KEY"), analytics.Config{Endpoint: os.Getenv("URL"), BatchSize: 10, Callback: done})
	if err != nil {
		log.Fatal(err)
	}
	if count > 0 {
		for i := range count {
			if err := client.Enqueue(analytics.Track{UserId: "u", Event: "Counted", Properties: analytics.NewProperties().Set("i", i)}); err != nil {
				log.Fatal(err)
			}
		}
		// After Close it tries nothing again.
		for range count {
			select {
			case err := <-done:
				if err != nil {
					log.Fatal(err)
				}
			case <-time.After(time.Minute):
				log.Fatal("not delivered after a minute")
			}
		}
		_ = client.Close()
		return
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
