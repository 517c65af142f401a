package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// logger writes what went wrong where the engine above us reads it.
//
//	{"level":"error","msg":"exec: \"x\": executable file not found in $PATH","time":"…"}
type logger struct {
	path, format string
}

// write appends one message, if there is a log.
func (l logger) write(level, message string) error {
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|os.O_SYNC, 0o644)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Format(time.RFC3339)
	line := fmt.Appendf(nil, "time=%q level=%s msg=%q", now, level, message)
	if l.format == "json" {
		line, err = json.Marshal(map[string]string{"level": level, "msg": message, "time": now})
	}
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	return errors.Join(err, file.Close())
}
