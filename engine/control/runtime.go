package control

import (
	"fmt"
	"io"
	"time"

	"pen/conf"
	"pen/engine"
)

// runtime is what commands need of the running program: the engine, and what only the control plane can do.
type runtime struct {
	*engine.Engine
	control *Control
}

var _ conf.Runtime = runtime{}

// everyService stands for all services where one can be named.
const everyService = ""

// StatusPage writes the HTML report about a service.
func (r runtime) StatusPage(service string, w io.Writer) error {
	reports := r.control.reports(service)
	if len(reports) == 0 {
		return fmt.Errorf("unknown service '%s'", service)
	}
	_, err := w.Write(page(reports...))
	return err
}

// reports returns a report about a service, or about each if service is everyService.
func (c *Control) reports(service string) []report {
	var reports []report
	for _, v := range c.settings.Services {
		if v.Name == service || service == everyService {
			reports = append(reports, newReport(c.settings, v, c.engine))
		}
	}
	return reports
}

// Exit ends the program. The reply of the command is still delivered.
func (r runtime) Exit(drain time.Duration) { r.control.end(drain) }
