package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// asked ADDR QUERY REGEXP asks a Prometheus until a line of the answer matches, and prints the answer: a line
// NAME="VALUE",... NUMBER for each series.
func asked(sc *scenario, args []string) (string, error) {
	if len(args) != 3 {
		return "", errors.New("usage: asked ADDR QUERY REGEXP")
	}
	match, err := regexp.Compile("(?m)" + args[2])
	if err != nil {
		return "", err
	}
	var answer string
	if !poll(func() bool {
		answer, err = promQuery(reachable(args[0]), args[1])
		return err == nil && match.MatchString(answer)
	}) {
		return answer, fmt.Errorf("%s never answered %q to %q: %w; at last:\n%s", args[0], args[2], args[1], err, answer)
	}
	return answer, nil
}

// promQuery asks a Prometheus once.
func promQuery(addr, query string) (string, error) {
	resp, err := http.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var reply struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any // time, number as text
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return "", err
	}
	if reply.Error != "" {
		return "", errors.New(reply.Error)
	}
	var b strings.Builder
	for _, r := range reply.Data.Result {
		for _, name := range slices.Sorted(maps.Keys(r.Metric)) {
			fmt.Fprintf(&b, "%s=%q,", name, r.Metric[name])
		}
		fmt.Fprintf(&b, " %v\n", r.Value[1])
	}
	return b.String(), nil
}
