package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a page in a headless Chromium of its own.
type browser struct {
	ctx    context.Context
	cancel func()
	wrong  chan string // what the page complained about on its console
}

// browse NAME URL [WIDTHxHEIGHT] opens a page, as wide as a phone's if that is said.
func browse(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: browse NAME URL [WIDTHxHEIGHT]")
	}
	width, height := 1100, 900
	if len(args) > 2 {
		if _, err := fmt.Sscanf(args[2], "%dx%d", &width, &height); err != nil {
			return "", fmt.Errorf("expected WIDTHxHEIGHT, not %q", args[2])
		}
	}
	profile, err := os.MkdirTemp(sc.ts.Getenv("WORK"), "browser")
	if err != nil {
		return "", err
	}
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(patience),
	})
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	b := &browser{wrong: make(chan string, 100)}
	tab, closeTab := chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	b.ctx, b.cancel = tab, func() {
		chromedp.Cancel(tab) // waits for the end of the program
		closeTab()
		stop()
	}
	sc.browsers[args[0]] = b
	return "", b.run(chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(args[1]))
}

// listen collects errors of the page's script, and what its policy forbade.
func (b *browser) listen(ev any) {
	text := ""
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = ev.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		text = fmt.Sprintf("console.%s", ev.Type)
	case *log.EventEntryAdded: // what the policy of the page forbade, what could not be loaded, and advice
		if text = ev.Entry.Text; ev.Entry.Level != log.EntryLevelError || ev.Entry.Source == log.EntrySourceNetwork {
			return
		}
	default:
		return
	}
	select {
	case b.wrong <- text:
	default:
	}
}

// run does something on the page, in bounded time.
func within[T any](b *browser, do chromedp.Action[T]) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := chromedp.Run(b.ctx, do)
		done <- outcome{v, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-time.After(patience):
		var none T
		return none, fmt.Errorf("the browser did not finish within %v", patience)
	}
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) error {
	for _, do := range actions {
		if _, err := within(b, do); err != nil {
			return err
		}
	}
	return nil
}

// text returns what a person reads in the elements of a selector.
func (b *browser) text(selector string) (string, error) {
	script := fmt.Sprintf("[...document.querySelectorAll(%q)].map(e => e.innerText).join('\\n')", selector)
	return within(b, chromedp.Evaluate[string](script))
}

func (sc *scenario) browser(name string) (*browser, error) {
	if b := sc.browsers[name]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("there is no browser %q", name)
}

// shows NAME SELECTOR REGEXP waits until the page shows this, and prints all of the text there.
func shows(sc *scenario, args []string) (string, error) {
	if len(args) != 3 {
		return "", errors.New("usage: shows NAME SELECTOR REGEXP")
	}
	b, err := sc.browser(args[0])
	if err != nil {
		return "", err
	}
	match, err := regexp.Compile("(?s)" + args[2])
	if err != nil {
		return "", err
	}
	var text string
	if !poll(func() bool {
		text, err = b.text(args[1])
		return err != nil || match.MatchString(text)
	}) {
		err = fmt.Errorf("%s never showed %q; at last: %q", args[1], args[2], text)
	}
	return text, err
}

// press NAME SELECTOR [TEXT] clicks on an element, or types a text into it.
func press(sc *scenario, args []string) (string, error) {
	if len(args) < 2 {
		return "", errors.New("usage: press NAME SELECTOR [TEXT]")
	}
	b, err := sc.browser(args[0])
	if err != nil {
		return "", err
	}
	if len(args) > 2 {
		return "", b.run(chromedp.SendKeys(chromedp.CSS(args[1]), strings.Join(args[2:], " ")))
	}
	return "", b.run(chromedp.Click(chromedp.CSS(args[1])))
}

// shot NAME FILE keeps a picture of the whole page, and fails if the page has complained of anything.
func shot(sc *scenario, args []string) (string, error) {
	if len(args) != 2 {
		return "", errors.New("usage: shot NAME FILE")
	}
	b, err := sc.browser(args[0])
	if err != nil {
		return "", err
	}
	picture, err := within(b, chromedp.FullScreenshot(100))
	if err != nil {
		return "", err
	}
	select {
	case text := <-b.wrong:
		return "", fmt.Errorf("the page complained: %s", text)
	default:
	}
	return "", os.WriteFile(sc.ts.MkAbs(args[1]), picture, 0o644)
}
