package oom

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// The picture's measures, in pixels.
const (
	plotWidth, plotHeight           = 900, 480
	plotLeft, plotRight             = 76, 24
	plotTop, plotBottom             = 84, 64
	colorLimited, colorUnlimited    = "#1f6feb", "#8250df"
	colorLimit, colorOld, colorBase = "#cf222e", "#9a6700", "#ddf4ff"
)

// plot is a picture in the making.
type plot struct {
	strings.Builder
	seconds, mebibytes float64 // the ends of the axes
}

// Plot draws usage over time as SVG: with the limit, its line, the kill, and
// the same without a limit.
func Plot(out io.Writer, r Result) error {
	p := &plot{}
	p.measure(r)
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" `+
		`font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" fill="#1f2328">`,
		plotWidth, plotHeight, plotWidth, plotHeight)
	p.printf(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	p.text(plotLeft, 34, "start", `font-size="19" font-weight="600"`,
		"Memory of one process, "+Bytes(r.Step)+" a step")
	p.text(plotLeft, 56, "start", `fill="#59636e"`,
		fmt.Sprintf("cgroup v%d: %s", r.Version, r.Verdict))
	p.axes()
	p.base(r.Limited)
	if r.Contrast != nil {
		p.line(r.Contrast.fromBase(), usageOf, colorUnlimited, `stroke-dasharray="7 4"`)
		p.end(*r.Contrast)
	}
	if r.Limited.Attached > 0 {
		p.line(r.Limited.Samples, func(s Sample) int64 { return s.Old }, colorOld, "")
	}
	p.line(r.Limited.fromBase(), usageOf, colorLimited, "")
	p.limit(r.Limited)
	p.kill(r.Limited)
	p.legend(r)
	p.printf("</svg>\n")
	_, err := io.WriteString(out, p.String())
	return err
}

// fromBase is the samples after one of the moment before the first step.
func (p Phase) fromBase() []Sample { return append([]Sample{{Usage: p.Base}}, p.Samples...) }

func usageOf(s Sample) int64 { return s.Usage }

func (p *plot) printf(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text writes a text at a place, anchored at its start, middle or end.
func (p *plot) text(x, y float64, anchor, style, text string) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	p.printf(`<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`, x, y, anchor, style, escaped)
}

// measure finds the ends of the axes, with a little room above.
func (p *plot) measure(r Result) {
	phases := []Phase{r.Limited}
	if r.Contrast != nil {
		phases = append(phases, *r.Contrast)
	}
	for _, phase := range phases {
		p.mebibytes = max(p.mebibytes, mebibytes(phase.Limit), mebibytes(phase.Peak))
		if phase.Kill != nil {
			p.seconds = max(p.seconds, seconds(phase.Kill.Milliseconds))
		}
		for _, s := range phase.Samples {
			p.seconds = max(p.seconds, seconds(s.Milliseconds))
			p.mebibytes = max(p.mebibytes, mebibytes(s.Usage), mebibytes(s.Old))
		}
	}
	p.seconds, p.mebibytes = max(p.seconds, 0.001)*1.03, max(p.mebibytes, 1)*1.12
}

func seconds(ms int64) float64      { return float64(ms) / 1000 }
func mebibytes(n int64) float64     { return float64(n) / (1 << 20) }
func (p *plot) x(s float64) float64 { return plotLeft + s/p.seconds*(plotWidth-plotLeft-plotRight) }
func (p *plot) y(m float64) float64 {
	return plotHeight - plotBottom - m/p.mebibytes*(plotHeight-plotTop-plotBottom)
}

// axes draws a grid with round numbers.
func (p *plot) axes() {
	const right, bottom = plotWidth - plotRight, plotHeight - plotBottom
	for m := 0.0; m <= p.mebibytes; m += roundStep(p.mebibytes / 6) {
		p.printf(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#d1d9e0" stroke-width="%s"/>`,
			plotLeft, p.y(m), right, p.y(m), map[bool]string{true: "1.5", false: "0.7"}[m == 0])
		p.text(plotLeft-8, p.y(m)+4, "end", `fill="#59636e"`, number(m))
	}
	for s := 0.0; s <= p.seconds; s += roundStep(p.seconds / 8) {
		p.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#d1d9e0"/>`,
			p.x(s), bottom, p.x(s), bottom+5)
		p.text(p.x(s), bottom+20, "middle", `fill="#59636e"`, number(s))
	}
	p.text(plotLeft-8, plotTop-8, "end", `fill="#59636e"`, "MiB")
	p.text(right, bottom+20, "end", `fill="#59636e"`, "s")
}

// roundStep is the next of 1, 2 and 5 times a power of ten.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, step := range []float64{1, 2, 5} {
		if step*power >= least {
			return step * power
		}
	}
	return 10 * power
}

// number writes a number of the axes without the noise of its last digits.
func number(n float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", n), "0"), ".")
}

// base draws what the program itself takes.
func (p *plot) base(phase Phase) {
	if phase.Base == 0 {
		return
	}
	top := p.y(mebibytes(phase.Base))
	p.printf(`<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s"/>`, plotLeft, top,
		plotWidth-plotLeft-plotRight, p.y(0)-top, colorBase)
}

// line draws one figure of the samples over time.
func (p *plot) line(samples []Sample, of func(Sample) int64, color, style string) {
	var points strings.Builder
	for _, s := range samples {
		fmt.Fprintf(&points, "%.1f,%.1f ", p.x(seconds(s.Milliseconds)), p.y(mebibytes(of(s))))
	}
	p.printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5" `+
		`stroke-linejoin="round" %s/>`, strings.TrimSpace(points.String()), color, style)
}

// limit draws the line that may not be crossed.
func (p *plot) limit(phase Phase) {
	if phase.Limit == 0 {
		return
	}
	y := p.y(mebibytes(phase.Limit))
	p.printf(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s" stroke-width="1.5" `+
		`stroke-dasharray="3 3"/>`, plotLeft, y, plotWidth-plotRight, y, colorLimit)
	p.text(plotLeft+8, y-7, "start", `fill="`+colorLimit+`" font-weight="600"`,
		"limit "+Bytes(phase.Limit))
}

// kill marks the moment and the usage at which the process was killed.
func (p *plot) kill(phase Phase) {
	if phase.Kill == nil {
		return
	}
	last := phase.Last()
	x, y := p.x(seconds(phase.Kill.Milliseconds)), p.y(mebibytes(max(phase.Peak, last.Usage)))
	p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2.5"/>`,
		p.x(seconds(last.Milliseconds)), p.y(mebibytes(last.Usage)), x, y, colorLimited)
	p.printf(`<g stroke="%s" stroke-width="3.5" stroke-linecap="round">`, colorLimit)
	for _, slope := range []float64{7, -7} {
		p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x-7, y-slope, x+7, y+slope)
	}
	p.printf(`</g>`)
	// Beside the mark where there is room: what leads to it comes from the left.
	const label = 200
	anchor, at, below := "start", x+14, y+24
	if x+label > plotWidth-plotRight {
		anchor, at, below = "end", plotWidth-plotRight, y+48
	}
	p.text(at, below, anchor, `fill="`+colorLimit+`" font-weight="600" `+
		`stroke="#ffffff" stroke-width="4" paint-order="stroke"`,
		fmt.Sprintf("OOM kill: exit status %d", phase.Status))
}

// end marks the end of a process that was not killed.
func (p *plot) end(phase Phase) {
	last := phase.Last()
	p.printf(`<circle cx="%.1f" cy="%.1f" r="5" fill="%s"/>`, p.x(seconds(last.Milliseconds)),
		p.y(mebibytes(last.Usage)), colorUnlimited)
}

// legend names the lines below the picture.
func (p *plot) legend(r Result) {
	x, y := float64(plotLeft), float64(plotHeight-18)
	entry := func(color, style, text string) {
		p.printf(`<line x1="%.0f" y1="%.0f" x2="%.0f" y2="%.0f" stroke="%s" stroke-width="3" %s/>`,
			x, y-4, x+26, y-4, color, style)
		p.text(x+34, y, "start", "", text)
		x += 50 + 7.2*float64(len(text))
	}
	entry(colorLimited, "", "usage within the limit")
	if r.Limited.Attached > 0 {
		entry(colorOld, "", "charged before it was attached")
	}
	if r.Contrast != nil {
		entry(colorUnlimited, `stroke-dasharray="7 4"`, "usage without a limit")
	}
	if r.Limited.Base > 0 {
		p.printf(`<rect x="%.0f" y="%.0f" width="26" height="12" fill="%s" stroke="#b6e3ff"/>`,
			x, y-11, colorBase)
		p.text(x+34, y, "start", "", "the program itself")
	}
}
