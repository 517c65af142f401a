package screen

import "strings"

// lookalikes are what stands in ASCII for the signs of the lessons. The lines of
// pictures have signs of the same width.
var lookalikes = strings.NewReplacer(
	"─", "-", "═", "=", "│", "|", "├", "+", "┤", "+", "┬", "+", "┴", "+", "┼", "+",
	"┌", "+", "┐", "+", "└", "+", "┘", "+", "►", ">", "▶", ">", "◄", "<", "▲", "^",
	"▼", "v", "·", "-", "−", "-", "–", "-", "—", "-", "→", ">", "↑", "^", "✓", "+",
	"✗", "x", "•", "*", "×", "x", "’", "'", "“", `"`, "”", `"`, "█", "#", "░", ".",
)

// Text returns a text as the screen can show it.
func (s Screen) Text(text string) string {
	if s.UTF8 {
		return text
	}
	return ASCII(text)
}

// ASCII replaces what a terminal without UTF-8 would garble. In the line of a
// picture three dots would push aside what follows them.
func ASCII(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		dots := "..."
		if strings.ContainsAny(line, "─│┌┐└┘├┤┬┴►◄▲▼═·") {
			dots = "~"
		}
		line = lookalikes.Replace(strings.ReplaceAll(line, "…", dots))
		b.WriteString(strings.Map(func(r rune) rune {
			if r >= 128 {
				return '?'
			}
			return r
		}, line))
	}
	return b.String()
}
