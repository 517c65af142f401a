package hint

import (
	"fmt"

	"lab/internal/progress"
)

// Next returns a hint to a step as Markdown and which one it is: the one that level
// names, or with 0 the next that was not read. That it was read is noted.
func Next(f *progress.File, step string, level int) (text string, read int, err error) {
	if level == 0 {
		level = min(f.Hints(step)+1, Levels)
	}
	h, err := Of(step)
	if err != nil {
		return "", 0, err
	}
	var failed *progress.Failure
	if failure, has := f.LastFailure(step); has {
		failed = &failure
	}
	if text, err = h.Get(level, failed); err != nil {
		return "", 0, err
	}
	if level > f.Hints(step) {
		f.SetHints(step, level)
		err = f.Save()
	}
	if err != nil {
		return text, level, fmt.Errorf("note that the hint was read: %w", err)
	}
	return text, level, nil
}
