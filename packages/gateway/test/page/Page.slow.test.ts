import { Fleet } from "@mcp-lifeline/core"
import { ReservedPort, ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Chromium from "../support/Chromium.js"
import * as Program from "../support/Program.js"
import * as Served from "../support/Served.js"
import { evaluate, focused, perClient, press, run, serve, server, shows, tabTo } from "../support/StatusPage.js"
import * as TestClient from "../support/TestClient.js"
import { afterAll, beforeAll, describe, expect, test } from "../support/vitest.js"

let browser: Browser
/** A server with the tools of a file. */
const pinnedWith = (tools: string) => ({ ...Program.fixture("pinned", tools), lifeline: { pin: "block" } })

const browse = (url: string) => Chromium.open(browser, url)

describe.skipIf(Chromium.executable === undefined)(Chromium.title("the status page in a browser"), () => {
  beforeAll(async () => {
    browser = await Chromium.launch()
  })
  afterAll(() => browser.close())

  test.scopedLive.skipIf(!existsSync("/dev/full"))(
    "[G16 G23] says where calls are recorded, and what of them is not, and why",
    function*() {
      const { base } = yield* serve({ args: ["--port", "0", "--audit", "/dev/full", "--audit-full", "go-on"] })
      const { complaints, page } = yield* browse(base)
      yield* shows(
        page.locator("#gateway"),
        /Audit\s*\/dev\/full cannot be written \(the disk is full\), so calls have no line; make room on the disk\. 1 call has no line/
      )
      expect(complaints).toEqual([])
    }
  )

  test.scopedLive("[G5, G16] a server that is killed leaves and returns, live, and its words do no harm; so does a save that is refused", function*() {
    const { base, broken, file } = yield* serve()
    const { complaints, page } = yield* browse(base)
    const [fragile, steady] = [server(page, "fragile"), server(page, "steady")]
    yield* shows(fragile.state, "Connected")
    yield* run(() => page.getByRole("button", { name: "fragile", exact: true }).click())
    yield* shows(fragile.generation, /^1$/)
    const { servers } = yield* run(async () => (await fetch(`${base}api/status`)).json() as Promise<any>)
    writeFileSync(broken, "")
    Program.kill(servers[0].pid)
    yield* shows(fragile.problem, "cannot start: <img")
    yield* shows(fragile.next, /Next attempt (in \d+ s|now), after \d+ failed attempts?/)
    yield* shows(page.locator("#events"), /fragile Lost · generation 1 · was killed by SIGKILL/)
    yield* shows(page.locator("#announcer"), "fragile:")
    expect(yield* run(() => page.title())).toBe("1 server coming back – Lifeline")
    expect(yield* run(() => steady.state.innerText())).toBe("Connected")
    unlinkSync(broken)
    yield* shows(fragile.state, "Connected")
    yield* shows(fragile.generation, /^2$/)
    yield* run(() => page.waitForFunction(`document.title === "2 servers – Lifeline"`))
    expect(yield* run(() => page.locator("img").count())).toBe(1)
    const saved = readFileSync(file)
    writeFileSync(file, "{")
    yield* shows(page.locator("#gateway"), /Last save\s*not in force, or not as a whole: .*mcp\.json/)
    writeFileSync(file, saved)
    yield* shows(page.locator("#gateway"), /Last save\s*in force/)
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] everything can be done by keyboard alone, and the focus can be seen", function*() {
    const { base } = yield* serve()
    const { complaints, page } = yield* browse(base)
    const fragile = server(page, "fragile")
    yield* shows(fragile.state, "Connected")
    yield* tabTo(page, "fragile")
    yield* press(page, "Enter")
    yield* shows(fragile.row.locator(".tools"), "fragile__who")
    yield* tabTo(page, "Reconnect fragile")
    yield* press(page, "Enter")
    yield* shows(fragile.generation, /^2$/)
    yield* tabTo(page, "Disable fragile")
    yield* press(page, "Enter")
    yield* shows(fragile.state, "Disabled")
    // The button has gone, and the one in its place has the focus.
    expect(yield* focused(page)).toEqual({ name: "Enable fragile", visible: true })
    yield* press(page, "Space")
    yield* shows(fragile.state, "Connected")
    yield* press(page, "/")
    yield* run(() => page.keyboard.type("stea"))
    yield* run(() => fragile.row.waitFor({ state: "hidden" }))
    yield* press(page, "Escape")
    yield* run(() => fragile.row.waitFor())
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] a gateway that is killed is missed, and its page goes on with the next one", function*() {
    const args = ["--port", String((yield* ReservedPort.make).port)]
    const { base, program, start } = yield* serve({ args })
    const { complaints, page } = yield* browse(base)
    const { state } = server(page, "steady")
    yield* shows(state, "Connected")
    const process = yield* run(() => page.locator("#gateway dt:text-is('Process') + dd").innerText())
    expect(process).toBe(String(program.pid))
    Program.kill(program.pid)
    yield* shows(page.getByRole("alert"), /The gateway does not answer\. What you see is from \d\d:\d\d:\d\d/)
    const next = yield* start(args)
    yield* shows(page.locator("#link"), "Live")
    yield* run(() => page.getByRole("alert").waitFor({ state: "hidden" }))
    yield* shows(page.locator("#gateway"), `Process${next.pid}`)
    yield* shows(state, "Connected")
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] [G15] of a server of which each client has its own, the page counts the runtimes and reconnects them", function*() {
    const { base } = yield* serve({ more: { own: perClient } })
    const { complaints, page } = yield* browse(base)
    const { items, row, runtimes, state } = server(page, "own")
    yield* shows(runtimes, "per client: no client has one")
    const clients = yield* Effect.all([Served.connected(`${base}mcp`), Served.connected(`${base}mcp`)])
    const [pid] = yield* run(() => Promise.all(clients.map(({ client }) => TestClient.pid(client, "own"))))
    yield* shows(runtimes, "per client: 2 connected")
    yield* run(() => page.getByRole("button", { name: "own", exact: true }).click())
    yield* shows(items, /#1 Connected since [\d:]+, generation 1(?!\d).*#2 Connected since [\d:]+, generation 1/s)
    yield* shows(row.locator(".details .events"), "runtime 1 · Connected · generation 1")
    Program.kill(pid!)
    yield* shows(runtimes, "per client: 1 connected, 1 reconnecting")
    yield* shows(state, "Reconnecting")
    yield* shows(items, "Reconnecting since")
    yield* shows(server(page, "own").problem, "was killed by SIGKILL")
    yield* run(() => row.getByRole("button", { name: "Reconnect own" }).click())
    yield* shows(runtimes, "per client: 2 connected")
    yield* shows(items, /#1 Connected since [\d:]+, generation 2(?!\d).*#2 Connected since [\d:]+, generation 2/s)
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] [G6] the page asks for the gateway's token, on a phone as well, and keeps it in its tab", function*() {
    const { base } = yield* serve({ env: { MCP_LIFELINE_TOKEN: "s3cret-token-of-page" } })
    const { complaints, page } = yield* browse(base)
    yield* run(() => page.setViewportSize({ width: 320, height: 640 }))
    const widest = evaluate<number>(page, "document.documentElement.scrollWidth")
    yield* run(() => page.getByLabel("Token").fill("another"))
    expect(yield* widest).toBe(320)
    yield* press(page, "Enter")
    yield* shows(page.locator("#token-problem"), "not that of this gateway")
    expect(yield* run(() => page.locator("#content").isVisible())).toBe(false)
    yield* run(() => page.getByLabel("Token").fill("s3cret-token-of-page"))
    yield* press(page, "Enter")
    yield* shows(server(page, "steady").state, "Connected")
    yield* run(() => page.getByRole("button", { name: "steady", exact: true }).click())
    yield* shows(server(page, "steady").row.locator(".tools"), "steady__who")
    expect(yield* widest).toBe(320)
    yield* run(() => page.reload())
    yield* shows(server(page, "steady").state, "Connected")
    const kept = yield* evaluate(page, "[localStorage.length, document.cookie, location.href]")
    expect(kept).toEqual([0, "", base])
    yield* run(() => page.getByRole("button", { name: "Forget the token" }).click())
    yield* run(() => page.getByLabel("Token").waitFor())
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] a login that is needed is made from the page, and begun again after it was refused", function*() {
    const auth = yield* AuthServer.make
    auth.knobs.consent = false
    const { base } = yield* serve({ more: { docs: { url: auth.url } } })
    const { complaints, page } = yield* browse(base)
    const docs = server(page, "docs")
    yield* shows(docs.state, "Sign-in needed")
    const follow = Effect.fnUntraced(function*(role: "link" | "button", name: RegExp, said: string) {
      const opened = page.context().waitForEvent("page")
      yield* run(() => docs.row.getByRole(role, { name }).click())
      const login = yield* run(() => opened)
      yield* shows(login.locator("h1"), said)
      yield* run(() => login.close())
    })
    yield* follow("link", /^Sign in to docs at 127/, "Not signed in")
    auth.knobs.consent = true
    yield* follow("button", /^Sign in docs/, "Signed in")
    yield* shows(docs.state, "Connected")
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G6] a page of another origin can neither act, nor read, nor frame the page", function*() {
    const { base } = yield* serve()
    const other = yield* listening(createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end(
        `<title>other</title><iframe src="${base}"></iframe>`
      )
    }))
    const { page } = yield* browse(`${other}/`)
    const attempts = yield* run(() =>
      page.evaluate(async (base) => {
        const attempt = (path: string, options: RequestInit) =>
          fetch(`${base}api/${path}`, options).then(
            async (response) => `${response.type} ${await response.text()}`,
            () => "refused"
          )
        const post = { method: "POST" } as const
        return [
          await attempt("servers/steady/disable", post),
          await attempt("servers/steady/disable", { ...post, mode: "no-cors" }),
          await attempt("servers/steady/disable", {
            ...post,
            headers: { "content-type": "application/json" },
            body: "{}"
          }),
          await attempt("status", {}),
          await attempt("status", { mode: "no-cors" })
        ]
      }, base)
    )
    expect(attempts).toEqual(attempts.map(() => "refused"))
    const [, framed] = page.frames()
    expect(yield* run(() => framed!.locator("#servers").count())).toBe(0)
    const { page: own } = yield* browse(base)
    expect(yield* run(() => own.locator("#servers").count())).toBe(1)
    yield* shows(server(own, "steady").state, "Connected")
  })

  test.scopedLive("[G24] a tool that has changed is shown with its difference, and offered once its approval is clicked", function*() {
    const path = yield* folder
    const [tools, before] = [join(path, "tools.json"), { name: "read", inputSchema: { type: "object" } }]
    writeFileSync(tools, JSON.stringify([{ ...before, description: "Reads." }]))
    const { base } = yield* serve({ more: { pinned: pinnedWith(tools) } })
    const { complaints, page } = yield* browse(base)
    const { row, state } = server(page, "pinned")
    yield* shows(state, "Connected")
    yield* shows(row, /1\s+tool/)
    const approve = page.getByRole("button", { name: "Approve pinned" })
    expect(yield* run(() => approve.isVisible())).toBe(false)
    writeFileSync(tools, JSON.stringify([{ ...before, description: "Reads. <img src=x>\u202e" }]))
    yield* run(() => page.getByRole("button", { name: "Reconnect pinned" }).click())
    yield* run(() => approve.waitFor())
    yield* shows(row, /0\s+tools/)
    yield* run(() => page.getByRole("button", { name: "pinned", exact: true }).click())
    yield* shows(row.locator(".changes"), /read has changed, withheld until it is approved/)
    yield* shows(row.locator(".changes"), 'description: "Reads." -> "Reads. <img src=x>\\u202e"')
    const long = { ...before, description: `Reads. ${"<b>word</b> ".repeat(100)}` }
    writeFileSync(tools, JSON.stringify([long]))
    yield* run(() => page.getByRole("button", { name: "Reconnect pinned" }).click())
    yield* shows(row.locator(".changes"), /… \[cut: \d+ characters\]\s*all of it: mcp-lifeline approve pinned --show/)
    yield* shows(row.locator(".events"), /the definition of the tool "read".* characters left out: mcp-lifeline logs\)/)
    expect(yield* run(() => row.locator(".events").innerText())).not.toContain("pinned: ")
    yield* tabTo(page, "Approve pinned")
    yield* press(page, "Enter")
    yield* run(() => approve.waitFor({ state: "hidden" }))
    yield* shows(row.locator(".outcome"), "Approved as they are now: read")
    yield* shows(row, /1\s+tool/)
    yield* run(() => row.locator(".changes").waitFor({ state: "hidden" }))
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G24] that it cannot be read what was approved is shown with its consequence, and ended by a click on Approve", function*() {
    const path = yield* folder
    const env = { MCP_LIFELINE_STATE: join(path, "state") }
    const tools = join(path, "tools.json")
    writeFileSync(tools, JSON.stringify([{ name: "read", description: "Reads.", inputSchema: { type: "object" } }]))
    const { base } = yield* serve({ env, more: { pinned: pinnedWith(tools) } })
    const { complaints, page } = yield* browse(base)
    const { row } = server(page, "pinned")
    yield* shows(row, /1\s+tool/)
    const pins = join(path, "state", "tool-pins")
    const [file = ""] = readdirSync(pins)
    writeFileSync(join(pins, file), "damaged")
    yield* run(() => page.getByRole("button", { name: "Reconnect pinned" }).click())
    const approve = page.getByRole("button", { name: "Approve pinned" })
    yield* run(() => approve.waitFor())
    yield* shows(row, /0\s+tools/)
    yield* run(() => page.getByRole("button", { name: "pinned", exact: true }).click())
    yield* shows(row.locator(".changes"), /read may have changed, withheld until it is approved/)
    yield* shows(row, /what was approved of its tools cannot be read: .*so all its tools are withheld/)
    yield* run(() => approve.click())
    yield* run(() => approve.waitFor({ state: "hidden" }))
    yield* shows(row.locator(".outcome"), "Approved as they are now: read")
    yield* shows(row, /1\s+tool/)
    expect(complaints).toEqual([])
  })

  test.scopedLive("[G16] with 50 servers of 100 tools, only the row that changes is written", function*() {
    const names = Array.from({ length: 50 }, (_, nth) => `server-${nth}`)
    const connectors = names.map(() => new ScriptedConnector.ScriptedConnector())
    for (const connector of connectors) {
      const tools = Array.from({ length: 100 }, (_, nth) => ScriptedConnector.tool(`tool-${nth}`))
      connector.offer = { ...connector.offer, tools }
    }
    const fleet = yield* Fleet.make({
      backends: Object.fromEntries(names.map((name, nth) => [name, { connector: connectors[nth]! }]))
    })
    yield* fleet.ready
    const { url } = yield* Served.serve(fleet)
    const { complaints, page } = yield* browse(new URL("/", url).href)
    yield* shows(page.locator("#groups"), /Connected 50/)
    yield* shows(server(page, "server-49").row, /100\s+tools/)
    yield* evaluate(
      page,
      `globalThis.written = new Set()
      new MutationObserver((records) => {
        for (const { target } of records) {
          const element = target instanceof Element ? target : target.parentElement
          const row = element?.closest(".since, .strip") === null ? element.closest(".server") : null
          if (row !== null) written.add(row.querySelector(".name").textContent)
        }
      }).observe(document.querySelector("#servers"), { subtree: true, childList: true, attributes: true, characterData: true })`
    )
    yield* Effect.flatMap(fleet.backend("server-7"), (backend) => backend.disable)
    yield* shows(server(page, "server-7").state, "Disabled")
    expect(yield* evaluate(page, "[...written]")).toEqual(["server-7"])
    yield* run(() => page.getByLabel("Filter").fill("server-4"))
    expect(yield* run(() => page.locator(".server:visible").count())).toBe(11)
    expect(complaints).toEqual([])
  })
})
