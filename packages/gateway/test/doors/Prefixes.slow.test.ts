import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { connectAll } from "../../../promise/src/index.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const timeouts = { connect: "2 minutes", wait: "2 minutes" }

const server = (name: string, ...tools: ReadonlyArray<string>) => Program.fixture("named", name, ...tools)

const long = `${"long-".repeat(12)}name`

const files = (prefix: string | undefined, own?: string) => ({
  lifeline: { timeouts, ...(prefix === undefined ? {} : { prefix }) },
  mcpServers: {
    first: { ...server("first", "search", long), ...(own === undefined ? {} : { lifeline: { prefix: own } }) },
    second: server("second", "search", "other")
  }
})

type Ask = (name: string) => Promise<string>

interface Seen {
  readonly names: ReadonlyArray<string>
  readonly ask: Ask
  readonly prompts: ReadonlyArray<string>
  readonly reported: () => ReadonlyArray<string>
}

const textOf = (result: unknown): string =>
  ((result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? "").replace(
    / \d+$/,
    ""
  )

const asking = (client: Pick<Client, "callTool">): Ask => async (name) => textOf(await client.callTool({ name }))

const started = Effect.fnUntraced(function*(config: object) {
  const file = join(yield* folder, "mcp.json")
  writeFileSync(file, JSON.stringify(config))
  const program = yield* Program.startHere(["serve", "--port", "0", "--config", file])
  const [, url = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
  const reported = () =>
    `${program.stdout()}\n${program.stderr()}`.split("\n").filter((line) => line.includes("it is offered as"))
  return { file, program, reported, url }
})

const serve = Effect.fnUntraced(function*(config: object) {
  const { reported, url } = yield* started(config)
  const client = yield* TestClient.connect(url)
  const names = yield* Effect.promise(() => TestClient.toolNames(client))
  const { prompts } = yield* Effect.promise(() => client.listPrompts())
  return { names, prompts: prompts.map(({ name }) => name), ask: asking(client), reported } satisfies Seen
})

const facade = Effect.fnUntraced(function*(config: object) {
  const lines: Array<string> = []
  const logger = ({ message }: { readonly message: string }): void => void lines.push(message)
  const fleet = yield* TestClient.opened(
    () => connectAll(config as Parameters<typeof connectAll>[0], { waitTimeout: "2 minutes", logger }),
    (fleet) => fleet.close()
  )
  const { tools } = yield* Effect.promise(() => fleet.listTools())
  const { prompts } = yield* Effect.promise(() => fleet.listPrompts())
  return {
    names: tools.map(({ name }) => name),
    prompts: prompts.map(({ name }) => name),
    ask: async (name) => textOf(await fleet.callTool({ name })),
    reported: () => lines.filter((line) => line.includes("it is offered as"))
  } satisfies Seen
})

const doors = { serve, facade } as const

describe.each(Object.entries(doors))("the names of servers at the door %s", (_, door) => {
  test.scopedLive.each<readonly [string | undefined, ReadonlyArray<string | RegExp>]>([
    [undefined, ["first__search", /^first__long-[long-]+_[0-9a-f]{8}$/, "second__search", "second__other"]],
    ["my-{server}_", [
      "my-first_search",
      /^my-first_long-[long-]+_[0-9a-f]{8}$/,
      "my-second_search",
      "my-second_other"
    ]],
    ["", ["search", long, /^second_search_[0-9a-f]{8}$/, "other"]]
  ])(
    "[G20:real] %j stands before them, each leads to its server, and what is changed is reported once",
    function*([prefix, expected]) {
      const { ask, names, prompts, reported } = yield* door(files(prefix))
      expect(names).toEqual(expected.map((one) => typeof one === "string" ? one : expect.stringMatching(one)))
      expect(prompts).toEqual(names)
      const answers = yield* Effect.promise(() => Promise.all(names.map(ask)))
      expect(answers).toEqual(["first search", `first ${long}`, "second search", "second other"])
      for (const name of names) expect(name.length).toBeLessThanOrEqual(64)
      const changed = prefix === "" ? ["search", names[2]!] : [long, names[1]!]
      const lines = yield* Program.eventually(() => reported().length >= 1 ? reported() : undefined)
      const said = [...new Set(lines.map((line) => /(first|second) offers .*$/.exec(line)?.[0]))]
      expect(said).toEqual([
        expect.stringMatching(`^${prefix === "" ? "second" : "first"} offers "${changed[0]}", .*"${changed[1]}"`)
      ])
    }
  )

  test.scopedLive("[G20:real] a server's own counts before that of all", function*() {
    const { ask, names } = yield* door(files("{server}-", ""))
    expect(names).toEqual(["search", long, "second-search", "second-other"])
    expect(yield* Effect.promise(() => ask("search"))).toBe("first search")
  })
})

describe("the names of servers", () => {
  test.scopedLive("[G20:real] a save with another prefix is announced to clients, and no server is started again", function*() {
    const { file, program, url } = yield* started(files(undefined))
    const client = yield* TestClient.connect(url)
    const pid = (name: string) =>
      Effect.promise(async () => {
        const { content } = await client.callTool({ name })
        return (content as ReadonlyArray<{ readonly text: string }>)[0]!.text.split(" ").at(-1)
      })
    yield* Effect.promise(() => TestClient.toolNames(client))
    const before = yield* pid("first__search")
    const announced = new Promise<void>((resolve) =>
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve())
    )
    writeFileSync(file, JSON.stringify(files("{server}.")))
    yield* program.until(() =>
      /lifeline\.prefix: is "\{server\}\."; accepted: a text of letters/.exec(program.stderr()) ?? undefined
    )
    expect(yield* pid("first__search")).toBe(before)
    writeFileSync(file, JSON.stringify(files("")))
    yield* program.prints(/read again: another prefix for the names of first, second/)
    yield* Effect.promise(() => announced)
    expect(yield* Effect.promise(() => TestClient.toolNames(client))).toContain("search")
    expect(yield* pid("search")).toBe(before)
    const unknown = yield* Effect.promise(() =>
      client.callTool({ name: "first__search" }).catch((error: Error) => error)
    )
    expect(String(unknown)).toMatch(/no server offers the tool "first__search"/)
  })

  test.scopedLive("[G20] [G15] a client's own server has another name where a shared one has its own, and is reached by it", function*() {
    const { reported, url } = yield* started({
      lifeline: { timeouts, prefix: "" },
      mcpServers: {
        own: { ...server("own", "search", "mine"), lifeline: { sessions: "per-client" } },
        shared: server("shared", "search")
      }
    })
    const client = yield* TestClient.connect(url)
    const names = yield* Effect.promise(() => TestClient.toolNamesWith(client, ["search", "mine"]))
    expect(names).toEqual(["search", expect.stringMatching(/^own_search_[0-9a-f]{8}$/), "mine"])
    const answers = yield* Effect.promise(() => Promise.all(names.map(asking(client))))
    expect(answers).toEqual(["shared search", "own search", "own mine"])
    yield* Program.eventually(() => reported().some((line) => line.includes(`own offers "search"`)) ? true : undefined)
    const prompt = yield* Effect.promise(() => client.getPrompt({ name: names[1]! }))
    expect(JSON.stringify(prompt)).toContain("own search")
  })
})
