import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "./Program.js"

/** A busy machine takes long to start a server: what is asked meanwhile waits for it. */
const patient = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }

const serving = Effect.fnUntraced(function*(
  start: typeof Program.startHere,
  mcpServers: object,
  args: ReadonlyArray<string>,
  env: Record<string, string>
) {
  const path = yield* folder
  const file = join(path, "mcp.json")
  writeFileSync(file, JSON.stringify({ mcpServers, lifeline: patient }))
  const own = { MCP_LIFELINE_STATE: join(path, "state"), ...env }
  const program = yield* start(["serve", "--port", "0", "--config", file, ...args], own)
  const [, base = ""] = yield* program.prints(/Serving (http:[^\s"]+)\/mcp/)
  const command = (...args: ReadonlyArray<string>) => Program.run(args, own)
  return { program, base, file, env: own, command }
})

export const serve = (mcpServers: object, args: ReadonlyArray<string> = [], env: Record<string, string> = {}) =>
  serving(Program.start, mcpServers, args, env)

/** The same in this process, which costs less. */
export const serveHere = (mcpServers: object, args: ReadonlyArray<string> = [], env: Record<string, string> = {}) =>
  serving(Program.startHere, mcpServers, args, env)

/** A gateway that is not started yet, with a port, a folder and a file of its own, which the test saves. */
export const place = Effect.fnUntraced(function*(start: typeof Program.startHere = Program.startHere) {
  const path = yield* folder
  const [file, { port }] = [join(path, "mcp.json"), yield* ReservedPort.make]
  const own = { MCP_LIFELINE_STATE: join(path, "state") }
  const save = (mcpServers: object, lifeline: object = {}): void =>
    writeFileSync(file, JSON.stringify({ mcpServers, lifeline: { ...patient, ...lifeline } }))
  const serve = Effect.fnUntraced(function*(args: ReadonlyArray<string> = [], env: Record<string, string> = {}) {
    const program = yield* start(["serve", "--port", String(port), "--config", file, ...args], { ...own, ...env })
    yield* program.prints(/^Serving http/m)
    return program
  })
  const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => Program.run(args, { ...own, ...env })
  return { base: `http://127.0.0.1:${port}`, path, port, run, save, serve }
})

export type Answer = { readonly status: number; readonly body: any }

export const ask = (url: string, method: "GET" | "POST" = "GET", body?: unknown) =>
  Effect.promise(async (): Promise<Answer> => {
    const headers = { "x-lifeline": "1", ...(body === undefined ? {} : { "content-type": "application/json" }) }
    const response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text }
  })

export const untilStatus = Effect.fnUntraced(
  function*(base: string, isWanted: (server: Answer["body"]) => boolean, name: string) {
    for (;;) {
      const { body } = yield* ask(`${base}/api/status`)
      const server = body.servers.find((one: { readonly name: string }) => one.name === name)
      if (isWanted(server)) return server
      yield* Effect.sleep("20 millis")
    }
  }
)

export const isConnected = ({ counts, state }: Answer["body"]) => state === "Connected" && counts.tools > 0
