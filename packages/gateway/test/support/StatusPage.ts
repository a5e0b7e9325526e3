import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "./Program.js"

/** Two servers: the one does not start as long as the file `broken` exists. */
const mcpServers = (broken: string) => ({
  fragile: {
    ...Program.fixture("fragile", broken),
    // However slow the machine is, it is tried until the file is gone.
    lifeline: { reconnect: { initialDelay: "300 millis", maxDelay: "1 second", maxAttempts: 1000 } }
  },
  steady: Program.fixture("who")
})

/** A server of which each client has its own, and which does not come back by itself while a test runs. */
export const perClient = {
  ...Program.fixture("who"),
  lifeline: { sessions: "per-client", reconnect: { initialDelay: "1 hour" } }
}

export const serve = Effect.fnUntraced(function*(
  { args = ["--port", "0"], env = {}, more = {} }: {
    readonly args?: ReadonlyArray<string>
    readonly env?: Record<string, string>
    readonly more?: object
  } = {}
) {
  const path = yield* folder
  const [broken, file] = [join(path, "broken"), join(path, "mcp.json")]
  writeFileSync(file, JSON.stringify({ mcpServers: { ...mcpServers(broken), ...more } }))
  const start = (args: ReadonlyArray<string>) =>
    Program.start(["serve", "--config", file, ...args], { MCP_LIFELINE_STATE: join(path, "state"), ...env })
  const program = yield* start(args)
  const [, base = ""] = yield* program.prints(/^Serving (http:\S+)mcp$/m)
  return { program, base, broken, file, start }
})

export const server = (page: Page, name: string) => {
  const row = page.getByRole("listitem", { name, exact: true })
  return {
    row,
    state: row.locator(".state-name"),
    runtimes: row.locator(".runtimes"),
    /** Its tools or runtimes, once it is opened. */
    items: row.locator(".tools"),
    problem: row.locator(".problem"),
    next: row.locator(".next"),
    generation: row.locator("dt:text-is('Generation') + dd")
  }
}

export const shows = (element: ReturnType<Page["locator"]>, text: RegExp | string) =>
  Effect.promise(() => element.filter({ hasText: text }).waitFor())

export const run = <A>(act: () => Promise<A>) => Effect.promise(act)

/** Evaluates an expression in the page: text, since tests have no types of a browser. */
export const evaluate = <A>(page: Page, expression: string) => run(() => page.evaluate<A>(expression))

export const focused = (page: Page) =>
  evaluate<{ readonly name: string; readonly visible: boolean }>(
    page,
    `(({ activeElement: element }) => ({
      name: element.getAttribute("aria-label") ?? element.textContent,
      visible: getComputedStyle(element).outlineStyle !== "none"
    }))(document)`
  )

export const tabTo = Effect.fnUntraced(function*(page: Page, name: string) {
  for (let count = 0; count < 60; count++) {
    yield* run(() => page.keyboard.press("Tab"))
    const found = yield* focused(page)
    if (found.name !== name) continue
    expect(found).toEqual({ name, visible: true })
    return
  }
  expect.fail(`Tab does not lead to ${name}`)
})

export const press = (page: Page, key: string) => run(() => page.keyboard.press(key))
