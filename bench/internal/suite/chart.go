package suite

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// dots are the medians of one kind of contender, with their ranges.
type dots struct {
	plotter.XYs
	low, high []float64
}

func (d *dots) XError(i int) (low, high float64) { return d.low[i], d.high[i] }

func (d *dots) add(x, y float64, xs []float64) {
	d.XYs = append(d.XYs, plotter.XY{X: x, Y: y})
	d.low, d.high = append(d.low, x-slices.Min(xs)), append(d.high, slices.Max(xs)-x)
}

// ends widens a span to all ranges.
func (d *dots) ends(least, most float64) (float64, float64) {
	for i, xy := range d.XYs {
		least, most = min(least, xy.X-d.low[i]), max(most, xy.X+d.high[i])
	}
	return least, most
}

// Chart draws q's results into a PNG file: a line for each contender of each case, a dot at its median, its range beside it.
func Chart(file string, q Question, results []Result) error {
	p := plot.New()
	p.Title.Text = q.Title
	better := "less is better"
	if q.Higher {
		better = "more is better"
	}
	p.X.Label.Text = fmt.Sprintf("%s, median and range of rounds (%s)", q.Unit, better)
	var ours, peers dots
	var names []string
	for _, r := range slices.Backward(results) { // the first at the top
		for _, name := range slices.Backward(r.Contenders) {
			xs := r.figures(name, q.Unit)
			if len(xs) == 0 || slices.Min(xs) <= 0 || math.IsInf(slices.Max(xs), 0) {
				continue
			}
			d := &peers
			if strings.HasPrefix(name, "lethe") {
				d = &ours
			}
			d.add(Median(xs), float64(len(names)), xs)
			label := name
			if len(results) > 1 {
				label = r.Case + ": " + name
			}
			names = append(names, label)
		}
	}
	if len(names) == 0 {
		return nil
	}
	for _, s := range []struct {
		d      *dots
		colour color.Color
	}{{&peers, color.Gray{0x60}}, {&ours, color.RGBA{R: 0xc0, G: 0x20, B: 0x20, A: 0xff}}} {
		if len(s.d.XYs) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(s.d)
		if err != nil {
			return err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: s.colour, Radius: vg.Points(3.5), Shape: draw.CircleGlyph{}}
		bars, err := plotter.NewXErrorBars(s.d)
		if err != nil {
			return err
		}
		bars.Color = s.colour
		p.Add(scatter, bars)
	}
	least, most := ours.ends(peers.ends(math.Inf(1), 0))
	p.X.Min, p.X.Max = 0, most*1.05
	if most > 20*least {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.X.Min, p.X.Max = least/1.3, most*1.3
	}
	p.NominalY(names...)
	p.Add(plotter.NewGrid())
	return p.Save(18*vg.Centimeter, vg.Length(len(names))*0.62*vg.Centimeter+3*vg.Centimeter, file)
}
