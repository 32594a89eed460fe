package dashboard

import (
	"fmt"
	"math"
	"time"
)

// This file draws the week as a grid of 7 × 24 hours.

// HoursView is the grid of weekday × hour, as the templates "hours" and "hours-table" take it.
type HoursView struct {
	Title, Alt string
	Days       []hoursDay
	Hours      []chartTick
	Table      []hoursRow
}

type hoursDay struct {
	Name, Y string
	Cells   []hoursCell
}

type hoursCell struct {
	X, Y, Width, Height string
	Level               int // 0 (nothing) to hoursLevels
	Text                string
	Href                string
}

type hoursRow struct {
	Hour  string
	Cells [7]string
}

// hoursLevels is how many shades there are.
const hoursLevels = 8

// Hours draws numbers by weekday, Monday first, and hour. title says what they are: "Visits". href
// returns the address behind a cell, "" = none; nil = none anywhere.
func Hours(l *Locale, title string, numbers *[7][24]uint64, href func(day, hour int) string) *HoursView {
	v := &HoursView{Title: title}
	most, sum, mostDay, mostHour := uint64(0), uint64(0), 0, 0
	for day := range numbers {
		for hour, n := range numbers[day] {
			if sum += n; n > most {
				most, mostDay, mostHour = n, day, hour
			}
		}
	}
	for day := range numbers {
		name := weekday(day).String()
		row := hoursDay{Name: name[:3], Y: percent((float64(day) + 0.5) / 7)}
		for hour, n := range numbers[day] {
			cell := hoursCell{
				X: percent(float64(hour) / 24), Y: percent(float64(day) / 7), Width: percent(1.0 / 24), Height: percent(1.0 / 7),
				Level: level(float64(n), float64(most), hoursLevels),
				Text:  fmt.Sprintf("%s, %s\n%s: %s", name, hours(hour), title, l.Number(n)),
			}
			if href != nil {
				cell.Href = href(day, hour)
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Days = append(v.Days, row)
	}
	for hour := range 24 {
		row := hoursRow{Hour: fmt.Sprintf("%02d:00", hour)}
		for day := range numbers {
			row.Cells[day] = l.Number(numbers[day][hour])
		}
		v.Table = append(v.Table, row)
		if hour%3 == 0 {
			v.Hours = append(v.Hours, chartTick{
				X: percent(float64(hour) / 24), Label: row.Hour, Anchor: "start", Wide: hour%6 != 0,
			})
		}
	}
	v.Alt = title + " by weekday and hour: none"
	if sum > 0 {
		v.Alt = fmt.Sprintf("%s by weekday and hour: %s in all, most on %ss, %s: %s", title, l.Number(sum),
			weekday(mostDay), hours(mostHour), l.Number(most))
	}
	return v
}

func weekday(day int) time.Weekday { return time.Weekday((day + 1) % 7) }

func hours(hour int) string { return fmt.Sprintf("%02d:00 – %02d:00", hour, (hour+1)%24) }

// level is the shade of x where most has the darkest one: 0 for nothing alone.
func level(x, most float64, levels int) int {
	if !(x > 0) || !(most > 0) {
		return 0
	}
	return max(1, min(levels, int(math.Ceil(x/most*float64(levels)))))
}
