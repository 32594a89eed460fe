package report

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"cairn/engine/query"
)

// When there are too many links, those of the labels that are shown are counted by a second sum.
// It gives the same answer.
func TestManyLinks(t *testing.T) {
	q := &query.Paths{Depth: 3, Limit: 4, Then: []string{"/1"}}
	answer := func(limit int) *query.PathsAnswer {
		labels := new(splits)
		s, err := newPathsSum(q, labels, limit)
		if err != nil {
			t.Fatal(err)
		}
		fill := func() {
			random := rand.New(rand.NewPCG(5, 5))
			for range 5000 {
				var visit []uint32
				for range random.IntN(5) {
					n, err := labels.number(fmt.Sprint("/", min(random.IntN(60), random.IntN(60))))
					if err != nil {
						t.Fatal(err)
					}
					visit = append(visit, n)
				}
				err := s.add(1, func(i int) uint32 {
					if i < len(visit) {
						return visit[i]
					}
					return 0
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		s.settle()
		if lost := limit < 1000; s.linksLost != lost {
			t.Fatalf("with %d links at most, some were lost: %v", limit, s.linksLost)
		}
		if s.linksLost {
			s = s.again()
			fill()
		}
		a, err := s.answer()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if got, want := answer(100), answer(1<<16); !reflect.DeepEqual(got, want) || len(got.Links) == 0 {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}
