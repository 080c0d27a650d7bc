package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a browser may take for what is asked of it, on a busy machine.
const patience = time.Minute

// browser starts Chromium and returns a function that opens a tab. Where there is none, the test is skipped.
func browser(t *testing.T) func() *tab {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium here: apt-get install chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	first, stopBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() { stopBrowser(); stopAllocator() })
	if err := chromedp.Do(first); err != nil {
		t.Skipf("%s does not start here: %v", program, err)
	}
	return func() *tab { return newTab(first, t) }
}

// tab is a page in the browser, and what it complained about.
type tab struct {
	*testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

func newTab(browser context.Context, t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			b.complain(event.ExceptionDetails.Text)
		case *log.EventEntryAdded: // reports of the policy are such, too
			if event.Entry.Level == log.EntryLevelError {
				b.complain(event.Entry.Text + " " + event.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.run(command(log.Enable, cdp.Empty{}))
	return b
}

// command is a command of the browser's protocol.
func command[P any](c cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// quiet fails if the browser complained.
func (b *tab) quiet(of string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complaints {
		b.Errorf("%s: the browser says: %s", of, text)
	}
	b.complaints = nil
}

func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	do(b, chromedp.Steps(steps...))
}

func do[T any](b *tab, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// value evaluates JavaScript.
func value[T any](b *tab, expression string) T {
	b.Helper()
	return do(b, chromedp.Evaluate[T](expression))
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond))); err != nil {
		b.Fatalf("%s: %v; the page says: %s", expression, err, value[string](b, `document.body.innerText.slice(0, 2000)`))
	}
}

// liveServer serves a book, with events that the test sends.
type liveServer struct {
	*httptest.Server
	frames chan string
}

func newLiveServer(t *testing.T, b *book, token string) *liveServer {
	t.Helper()
	s := &liveServer{frames: make(chan string)}
	mux := http.NewServeMux()
	protected, open := Routes(b.options(token))
	mux.HandleFunc("GET /v1/live", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case workflow := <-s.frames:
				fmt.Fprintf(w, "event: frame\ndata: {\"workflow\":%q}\n\n", workflow)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	for _, r := range protected {
		inner := r.Handler
		mux.HandleFunc(r.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if token == "" || SignedIn(r, token) || !AskToSignIn(w, r) {
				inner.ServeHTTP(w, r)
			}
		})
	}
	for _, r := range open {
		mux.Handle(r.Pattern, r.Handler)
	}
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// Every page is quiet and fits its window, narrow and wide, light and dark.
func TestEveryPageInABrowser(t *testing.T) {
	open := browser(t)
	server := newLiveServer(t, newBook(), "")
	for _, width := range []int64{360, 1440} {
		for _, scheme := range []string{"light", "dark"} {
			b := open()
			b.run(chromedp.EmulateViewport(width, 900), command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
			}))
			for _, target := range everyPage {
				name := fmt.Sprintf("%s %d %s", target, width, scheme)
				b.run(chromedp.Navigate(server.URL+target), chromedp.WaitReady("footer"))
				if over := value[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
					b.Errorf("%s is %d pixels too wide: %s", name, over, value[string](b, widest))
				}
				if dark := value[bool](b, `getComputedStyle(document.body).backgroundColor.match(/\d+/g)[0] < 128`); dark != (scheme == "dark") {
					b.Errorf("%s: dark %t", name, dark)
				}
				b.quiet(name)
			}
		}
	}
}

// widest names an element that reaches out of the window.
const widest = `(e => e ? e.outerHTML.slice(0, 200) : "none")([...document.querySelectorAll("main *, .bar *")].find(e =>
	e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest(".scroll, nav, pre")))`

// What agents wrote does nothing, in any field. That each alone is text, TestHostileWordsAreText shows.
func TestHostileWordsInABrowser(t *testing.T) {
	open := browser(t)
	for name, word := range map[string]func(field string) string{
		"all at once":    func(string) string { return strings.Join(hostile, " ") },
		"one each":       func(field string) string { return hostile[len(field)%len(hostile)] },
		"another one":    func(field string) string { return hostile[(len(field)*7+3)%len(hostile)] },
		"after the name": func(field string) string { return field + hostile[1] },
	} {
		words := newBook()
		words.word = word
		server, b := newLiveServer(t, words, ""), open()
		for _, target := range everyPage {
			b.run(chromedp.Navigate(server.URL+target), chromedp.WaitReady("footer"))
			if value[bool](b, `"pwned" in window || location.origin !== "`+server.URL+`"`) {
				b.Errorf("%s, %s: it did something", target, name)
			}
			b.quiet(target + ", " + name)
		}
	}
}

// A page that is open tells what comes while it is, without losing what the reader does.
func TestLive(t *testing.T) {
	open := browser(t)
	words := newBook()
	var mu sync.Mutex
	said := "not yet"
	words.word = func(field string) string {
		mu.Lock()
		defer mu.Unlock()
		if field == "The path is relative.\n\nUse an absolute path." {
			return said
		}
		return field
	}
	server, b := newLiveServer(t, words, ""), open()
	b.run(chromedp.Navigate(server.URL+"/workflow?id=wf-1"), chromedp.WaitReady("footer"))
	b.until(`document.getElementById("pulse").textContent === "Live."`)
	b.run(chromedp.Evaluate[chromedp.Void](`document.querySelector("details.reasoning summary").click(); document.querySelector("main a").focus()`))
	mu.Lock()
	said = "said meanwhile"
	mu.Unlock()
	server.frames <- "another workflow"
	server.frames <- "wf-1"
	b.until(`document.body.innerText.includes("said meanwhile")`)
	if !value[bool](b, `document.querySelector("details.reasoning").open && document.activeElement === document.querySelector("main a")`) {
		b.Error("what was open is closed, or what had the focus has it no more")
	}
	if zone := value[string](b, `document.getElementById("zone").textContent`); !strings.HasPrefix(zone, "Times are in ") {
		b.Errorf("zone: %q", zone)
	}
	b.quiet("live")
}

// Everything can be done with the keyboard alone.
func TestKeyboard(t *testing.T) {
	open := browser(t)
	words := newBook()
	server, b := newLiveServer(t, words, ""), open()
	for _, target := range []string{"/", "/workflow?id=wf-1", "/recall?q=path", "/graph", "/promotion?id=p2", "/calls", "/forget?id=wf-1", "/event?id=ev-1"} {
		b.run(chromedp.Navigate(server.URL+target), chromedp.WaitReady("footer"))
		want := value[int](b, `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")].filter(e => e.checkVisibility() && e.getAttribute("tabindex") !== "-1").length`)
		seen := map[string]bool{}
		for range 2*want + 1 { // a field for a time has several stops
			b.run(chromedp.KeyEvent(kb.Tab))
			at := value[string](b, focused)
			if strings.HasSuffix(at, "unseen") {
				b.Errorf("%s: the focus is not seen at %s", target, at)
			}
			seen[at] = true
		}
		if delete(seen, "none"); len(seen) != want {
			b.Errorf("%s: Tab reaches %d of %d", target, len(seen), want)
		}
	}
	b.run(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady("footer"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	if at := value[string](b, `document.activeElement.id`); at != "main" {
		b.Errorf("skipping leads to %q", at)
	}
	b.quiet("keyboard")
}

// focused names the element that has the focus, with its place among all, and whether one sees that.
const focused = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return "none";
	const style = getComputedStyle(e);
	return [...document.querySelectorAll("*")].indexOf(e) + " " + e.nodeName + (style.outlineStyle === "none" || style.outlineWidth === "0px" ? " unseen" : "");
})()`

// Every action is a form that works with the keyboard, and nothing else needs a script.
func TestActions(t *testing.T) {
	open := browser(t)
	words := newBook()
	server := newLiveServer(t, words, "")
	for name, script := range map[string]bool{"with script": false, "without script": true} {
		words.acted = nil
		b := open()
		b.run(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: script}))
		visit := func(target, press, then string) {
			b.run(chromedp.Navigate(server.URL+target), chromedp.WaitReady("footer"),
				chromedp.SendKeys(press, kb.Enter), chromedp.WaitReady(then))
		}
		visit("/promotion?id=p1", `form[action="/promotions/retry"] button`, ".done")
		visit("/promotions", `form[action="/promotions/retry"] button`, ".done")
		b.run(chromedp.Navigate(server.URL+"/promotion?id=p2"), chromedp.WaitReady("footer"),
			chromedp.SendKeys(`input[name=reason]`, "not ours"+kb.Enter), chromedp.WaitReady(".done"))
		visit("/audit", `form:first-of-type button`, ".found .bad")
		visit("/audit", `form:last-of-type button`, ".found .good")
		b.run(chromedp.Navigate(server.URL+"/workflow?id=wf-1"), chromedp.WaitReady("footer"),
			chromedp.SendKeys(`a[href^="/forget"]`, kb.Enter), chromedp.WaitReady(".confirm"),
			chromedp.SendKeys(`input[name=abandon]`, " "), chromedp.SendKeys(`input[name=sure]`, " "),
			chromedp.SendKeys(`.confirm button`, kb.Enter), chromedp.WaitReady("main .good"))
		if want := []string{"retry p1", "retry rejected", "reject p2 for not ours", "forget wf-1, bronze false, abandon true"}; !slices.Equal(words.acted, want) {
			b.Errorf("%s: done was %q", name, words.acted)
		}
		b.quiet(name)
	}
}

// With a token one signs in once; the token is in no page and no script can read the cookie.
func TestSigningIn(t *testing.T) {
	open := browser(t)
	server, b := newLiveServer(t, newBook(), "secret"), open()
	b.run(chromedp.Navigate(server.URL+"/recall?q=path"), chromedp.WaitReady(".login"))
	b.run(chromedp.SendKeys("input[name=token]", "wrong"+kb.Enter), chromedp.WaitReady(".login .bad"))
	b.run(chromedp.SendKeys("input[name=token]", "secret"+kb.Enter), chromedp.WaitReady("#hits"))
	if cookie := value[string](b, `document.cookie`); cookie != "" {
		b.Errorf("a script can read %q", cookie)
	}
	b.run(chromedp.SendKeys(".out button", kb.Enter), chromedp.WaitReady(".login"))
	b.run(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(".login"))
	b.quiet("signing in")
}

// From a bar of a chart one comes to the calls behind it, with a pointer and by the chart's table.
func TestFromABarToItsCalls(t *testing.T) {
	open := browser(t)
	server, b := newLiveServer(t, newBook(), ""), open()
	b.run(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady("footer"), chromedp.Click(".chart svg a:nth-of-type(3) .reach"), chromedp.WaitReady(".calls"))
	first := value[string](b, `location.search`)
	if !strings.Contains(first, "from=") || value[int](b, `document.querySelectorAll("svg a.chosen").length`) == 0 {
		b.Errorf("a bar leads to %s", first)
	}
	b.run(chromedp.Navigate(server.URL+"/"), chromedp.WaitReady("footer"), chromedp.SendKeys(".chart summary", kb.Enter),
		chromedp.SendKeys(".chart tbody tr:nth-child(3) a", kb.Enter), chromedp.WaitReady(".calls"))
	if second := value[string](b, `location.search`); second != first {
		b.Errorf("the bar leads to %s, its row to %s", first, second)
	}
	b.quiet("bars")
}
