package query

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Numbers that are added as float64s have the same sum in any order, and however they are put
// together: it is their exact sum, rounded once.
func TestSumOfRoughNumbersHasNoOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var texts []string
		exact := new(big.Float).SetPrec(4000)
		for range 2 + r.IntN(30) {
			v := (r.Float64() - 0.5) * math.Pow10(r.IntN(40)-20)
			if text := fmt.Sprintf("%.*f", 10+r.IntN(30), v); len(text) > 20 {
				texts = append(texts, text)
			}
		}
		var one, other Sum
		var parts [3]Sum
		for _, text := range texts {
			one.Add(text)
			v, _ := new(big.Float).SetString(text)
			f, _ := v.Float64()
			exact.Add(exact, new(big.Float).SetPrec(4000).SetFloat64(f))
		}
		r.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		for _, text := range texts {
			parts[r.IntN(len(parts))].Add(text)
		}
		for i := range parts {
			other.AddSum(parts[i])
		}
		want, _ := exact.Float64()
		if one != other || one.Float() != want {
			t.Fatalf("%v: %v and %v, want %v", texts, one.Float(), other.Float(), want)
		}
		n := uint64(1 + r.IntN(1<<20))
		exact.Mul(exact, new(big.Float).SetPrec(4000).SetUint64(n))
		if want, _ := exact.Float64(); one.Times(n).Float() != want {
			t.Fatalf("%v, %d times: %v, want %v", texts, n, one.Times(n).Float(), want)
		}
		one.AddSum(other.Negated())
		if one.Float() != 0 || one.Exact() {
			t.Fatalf("%v less itself is %v", texts, one.Float())
		}
	}
}

// A number beyond all float64s counts as the largest, and so does a sum.
func TestSumOfHugeNumbers(t *testing.T) {
	huge := "1"
	for range 400 {
		huge += "0"
	}
	for _, sign := range []string{"", "-"} {
		var sum Sum
		for range 2 {
			if !sum.Add(sign+huge) || sum.Exact() {
				t.Fatal("it is no number, or exact")
			}
		}
		if want := sign + "1.7976931348623157e+308"; string(sum.Append(nil)) != want {
			t.Errorf("%s, want %s", sum.Append(nil), want)
		}
		if got := string(sum.AppendQuotient(nil, 2, 6)); len(got) < 300 || got[:len(sign)] != sign {
			t.Errorf("half of it is %s", got)
		}
	}
}
