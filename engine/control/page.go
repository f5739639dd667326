package control

import (
	"embed"
	"net/http"
	"path"
)

// assets are the status page. It shows what /events sends; nothing in it is made from data, so nothing needs escaping.
//
//go:embed page
var assets embed.FS

// asset serves one of the files.
func asset(name, kind string) http.HandlerFunc {
	content, err := assets.ReadFile(path.Join("page", name))
	if err != nil {
		panic(err) // the file has been left out of the program
	}
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", kind)
		rw.Write(content) // who does not take it is gone
	}
}
