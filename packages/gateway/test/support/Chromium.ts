import { Effect } from "effect"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, chromium } from "playwright-core"

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

/** Where it is; undefined where there is none. */
export const executable: string | undefined = process.env["LIFELINE_CHROMIUM"]
  ?? (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))).find(
    (file) => existsSync(file)
  )

/** The title of a test that needs it: it says why, where it is skipped. */
export const title = (text: string): string =>
  executable === undefined ? `${text} (skipped: no Chromium on this machine)` : text

/** Starts it. Its sandbox is not to be had by root, nor in most containers; it opens pages of ours alone. */
export const launch = (more: ReadonlyArray<string> = []): Promise<Browser> =>
  chromium.launch({
    executablePath: executable ?? "",
    // On a busy machine a click is longer ago than a browser lets a page open a tab for.
    args: ["--no-sandbox", "--disable-popup-blocking", ...more],
    timeout: 150_000
  })

/** A page in a context of its own, and what it complained of: errors, and what its policy refused. */
export const open = Effect.fnUntraced(function*(browser: Browser, url: string) {
  const context = yield* Effect.acquireRelease(
    Effect.promise(() => browser.newContext()),
    (context) => Effect.promise(() => context.close())
  )
  const page = yield* Effect.promise(() => context.newPage())
  page.setDefaultTimeout(150_000)
  page.context().setDefaultTimeout(150_000)
  const complaints: Array<string> = []
  page.on("pageerror", (error) => complaints.push(error.message))
  page.on("console", (message) => {
    // The browser reports each answer but 200 and each connection that is refused; what the page makes of them is tested.
    const expected = /^Failed to load resource: (net::ERR_|the server responded with a status of (401|503))/
    if (["error", "warning"].includes(message.type()) && !expected.test(message.text())) {
      complaints.push(message.text())
    }
  })
  yield* Effect.promise(() => page.goto(url))
  return { page, complaints }
})
